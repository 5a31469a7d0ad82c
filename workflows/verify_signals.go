package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// verifySignals are the signals of a verification, in the order of their arrival.
type verifySignals struct {
	root     workflow.Context
	order    *arrivals
	channels []verifySignal
	// cancelled is set once a request to cancel the workflow was read.
	cancelled bool
}

type verifySignal struct {
	name    string
	channel workflow.ReceiveChannel
}

func newVerifySignals(root workflow.Context) verifySignals {
	s := verifySignals{root: root}
	s.order, _ = root.Value(arrivalsKey{}).(*arrivals)
	if s.order == nil {
		s.order = &arrivals{}
	}
	for _, signal := range [][2]string{
		{job.SignalPause, "Stop comparing until resume. No payload needed."},
		{job.SignalResume, "Go on after a pause, or try again now."},
		{job.SignalVerifyCancel, "End with the report of what is done."},
	} {
		o := workflow.SignalChannelOptions{Description: signal[1]}
		s.channels = append(s.channels, verifySignal{signal[0], workflow.GetSignalChannelWithOptions(root, signal[0], o)})
	}
	return s
}

func (s *verifySignals) unread() bool {
	if len(s.order.signals) > 0 || s.root.Err() != nil && !s.cancelled {
		return true
	}
	for _, c := range s.channels {
		if c.channel.Len() > 0 {
			return true
		}
	}
	return false
}

// read takes all that has arrived.
func (s *verifySignals) read() (names []string) {
	for _, a := range s.order.signals {
		for _, c := range s.channels {
			if c.name == a.name && c.receive() {
				names = append(names, c.name)
			}
		}
	}
	s.order.signals = nil
	for _, c := range s.channels {
		for c.receive() {
			names = append(names, c.name)
		}
	}
	if s.root.Err() != nil && !s.cancelled {
		s.cancelled = true
		names = append(names, job.SignalVerifyCancel)
	}
	return names
}

func (c verifySignal) receive() bool {
	var ignored converter.RawValue
	return c.channel.Len() > 0 && c.channel.ReceiveAsync(&ignored)
}

// readSignals notes what has arrived.
func (v *verification) readSignals() {
	for _, name := range v.signals.read() {
		switch name {
		case job.SignalPause:
			v.report.State, v.report.ResumesAt = job.VerifyPaused, time.Time{}
		case job.SignalResume:
			v.report.State, v.report.ResumesAt = job.VerifyRunning, time.Time{}
			v.succeeded()
			v.enterWindow(true)
		case job.SignalVerifyCancel:
			v.cancelled = true
		}
	}
}
