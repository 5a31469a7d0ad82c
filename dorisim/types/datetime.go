package types

import (
	"strings"
	"time"
)

const (
	dateLayout     = "2006-01-02"
	dateTimeLayout = "2006-01-02 15:04:05"
)

// parseLayouts are the spellings Doris accepts; the fraction is accepted after
// the seconds of any of them.
var parseLayouts = []string{
	"2006-1-2 15:4:5", "2006-1-2", "20060102150405", "20060102", "2006-1-2 15:4", "2006-1-2 15",
}

func parseDate(text string) (Value, error) {
	at, err := parseTime(text)
	if err != nil {
		return nil, err
	}
	return at.Format(dateLayout), nil
}

// parseDateTime rounds to the column's fraction digits.
func parseDateTime(text string, scale int) (Value, error) {
	at, err := parseTime(text)
	if err != nil {
		return nil, err
	}
	return FormatTime(at, scale), nil
}

// FormatTime is the canonical text of a DATETIME with scale fraction digits
// (0..6), rounded half up.
func FormatTime(at time.Time, scale int) string {
	scale = min(max(scale, 0), 6)
	unit := time.Second
	for range scale {
		unit /= 10
	}
	at = at.Round(unit)
	if scale == 0 {
		return at.Format(dateTimeLayout)
	}
	return at.Format(dateTimeLayout + "." + strings.Repeat("0", scale))
}

func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	text = strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '-'
		case 'T':
			return ' '
		default:
			return r
		}
	}, text)
	text = strings.TrimSuffix(text, "Z")
	for _, layout := range parseLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			if at.Year() > 9999 {
				return time.Time{}, ErrOutOfRange
			}
			return at, nil
		}
	}
	return time.Time{}, ErrSyntax
}

// TruncateTime is date_trunc: the begin of the year, quarter, month, week, day,
// hour, minute or second; weeks begin on Monday. Another unit is a day.
func TruncateTime(at time.Time, unit string) time.Time {
	year, month, day := at.Date()
	switch unit {
	case "year":
		month, day = 1, 1
	case "quarter":
		month, day = (month-1)/3*3+1, 1
	case "month":
		day = 1
	case "week":
		day -= (int(at.Weekday()) + 6) % 7
	case "hour":
		return at.Truncate(time.Hour)
	case "minute":
		return at.Truncate(time.Minute)
	case "second":
		return at.Truncate(time.Second)
	}
	return time.Date(year, month, day, 0, 0, 0, 0, at.Location())
}
