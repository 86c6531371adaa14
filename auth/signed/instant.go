package signed

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// FormatInstant writes an instant as grants do: in UTC, to the second, without
// a zone.
func FormatInstant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// instant is ISO 8601: a date, a time if need be, an offset if need be.
var instant = regexp.MustCompile(`^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?|(\d{2})(\d{2}))` +
	`(?:[T ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$`)

var errInstant = errors.New("it is not a date and time of ISO 8601")

// ParseInstant reads a date or a date with a time, in the spellings that the
// original understands: 2031-01-01, 2031-01-01T00:00:00 with Z, an offset or
// nothing, which means UTC, 20310101T000000, 2031-01. Fractions of seconds are
// dropped.
// Digits alone are not an instant.
func ParseInstant(s string) (time.Time, error) {
	m := instant.FindStringSubmatch(s)
	if m == nil || strings.Trim(s, "0123456789") == "" {
		return time.Time{}, errInstant
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(m[i]) // digits, or nothing
		return n
	}
	year, month, day := number(1), number(2)+number(4), number(3)+number(5)
	if m[3] == "" && m[5] == "" {
		day = 1 // 2031-01
	}
	hour, minute, second := number(6), number(7), number(8)
	if hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errInstant
	}
	offset, err := offsetOf(m[9])
	if err != nil {
		return time.Time{}, err
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Month() != time.Month(month) || t.Day() != day {
		return time.Time{}, errInstant // there is no such day
	}
	t = t.Add(-offset)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, errInstant
	}
	return t, nil
}

// offsetOf reads Z, +02, +0200, +02:00 or nothing.
func offsetOf(s string) (time.Duration, error) {
	if s == "" || s == "Z" {
		return 0, nil
	}
	digits := strings.ReplaceAll(s[1:], ":", "")
	hours, _ := strconv.Atoi(digits[:2])
	minutes, _ := strconv.Atoi(digits[2:]) // or nothing
	if hours > 23 || minutes > 59 {
		return 0, errInstant
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		return -d, nil
	}
	return d, nil
}
