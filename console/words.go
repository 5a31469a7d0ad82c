package console

import (
	"strconv"
	"time"
)

// number writes 1234567 as 1,234,567.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return sign + text
}

// seconds writes a length of time with its two largest units.
func (l lang) seconds(n int64) string {
	switch {
	case n < 60:
		return l.text("%d s", n)
	case n < 3600 && n%60 == 0:
		return l.text("%d min", n/60)
	case n < 600:
		return l.text("%d min %d s", n/60, n%60)
	case n < 3600:
		return l.text("%d min", n/60)
	case n < 86400:
		return l.text("%d h %d min", n/3600, n%3600/60)
	}
	return l.text("%d d %d h", n/86400, n%86400/3600)
}

// ago says how long ago something was; nothing for what has never been.
func (l lang) ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return l.text("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return l.text("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return l.text("%d h ago", int(d.Hours()))
	}
	return l.text("%d days ago", int(d.Hours()/24))
}

// The states that the console tells apart, what needs a person first.
const (
	stateStalled = "stalled"
	stateUnknown = "unknown"
	statePaused  = "paused"
	stateCopying = "copying"
	stateEnding  = "deleting"
	stateRunning = "running"
)

var states = []string{stateStalled, stateUnknown, statePaused, stateCopying, stateEnding, stateRunning}

// state is the word for a state that people see.
func (l lang) state(state string) string {
	switch state {
	case stateStalled:
		return l.text("stalled")
	case stateUnknown:
		return l.text("no answer")
	case statePaused:
		return l.text("paused")
	case stateCopying:
		return l.text("copying")
	case stateEnding:
		return l.text("deleting")
	case stateRunning:
		return l.text("running")
	}
	return state
}
