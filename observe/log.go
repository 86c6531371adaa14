package observe

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Format is the form of a log line.
type Format string

// The formats.
const (
	Text Format = "text" // key=value pairs
	JSON Format = "json" // one object a line
)

// Config says what is logged and where. The zero value logs text of level
// info to standard output.
type Config struct {
	Level  slog.Level
	Format Format

	File   string // append to this file
	Stderr bool   // write to standard error
	Syslog bool   // send to the system's log daemon
	// Facility of syslog, LOG_USER and its like; empty: LOG_USER.
	Facility string
	// SyslogSocket is the daemon's datagram socket; empty: the system's.
	SyslogSocket string
	// Stdout takes the log when none of File, Stderr and Syslog is set; nil:
	// os.Stdout.
	Stdout io.Writer
}

// Log is an open log. Its methods may be called concurrently.
type Log struct {
	*slog.Logger
	level *slog.LevelVar
	file  *file // nil: no file
	close []io.Closer
}

// Open opens the log. A file is created with mode 0640 if it is missing.
func Open(c Config) (*Log, error) {
	l := &Log{level: new(slog.LevelVar)}
	l.level.Set(c.Level)
	var hs []slog.Handler
	if c.File != "" {
		f, err := openFile(c.File)
		if err != nil {
			return nil, fmt.Errorf("log file: %w", err)
		}
		l.file, l.close = f, append(l.close, f)
		hs = append(hs, l.handler(c.Format, f))
	}
	if c.Syslog {
		h, err := l.openSyslog(c)
		if err != nil {
			return nil, fmt.Errorf("syslog: %w", err)
		}
		hs = append(hs, h)
	}
	if c.Stderr {
		hs = append(hs, l.handler(c.Format, os.Stderr))
	}
	switch len(hs) {
	case 0:
		out := c.Stdout
		if out == nil {
			out = os.Stdout
		}
		l.Logger = slog.New(l.handler(c.Format, out))
	case 1:
		l.Logger = slog.New(hs[0])
	default:
		l.Logger = slog.New(slog.NewMultiHandler(hs...))
	}
	return l, nil
}

func (l *Log) handler(f Format, w io.Writer) slog.Handler {
	if f == JSON {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l.level, ReplaceAttr: inSeconds})
	}
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: l.level})
}

// inSeconds makes durations numbers of seconds, as JSON has no units and
// nobody guesses nanoseconds.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}

// SetLevel changes what is logged from now on, by every logger derived from
// this one.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Reopen opens the log file anew under its name, as log rotation needs it. On
// failure the old file stays in use.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// Close closes what Open opened. Records logged later are lost.
func (l *Log) Close() error {
	var first error
	for _, c := range l.close {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
