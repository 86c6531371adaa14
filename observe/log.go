package observe

import (
	"bytes"
	"errors"
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
	// Trouble is called when records cannot be written to File, with the error,
	// and with nil when they can be again. It must not log here. nil: nobody is
	// told.
	Trouble func(error)
	// Stdout takes the log when none of File, Stderr and Syslog is set; nil:
	// os.Stdout.
	Stdout io.Writer
}

// Log is an open log. Its methods may be called concurrently.
type Log struct {
	*slog.Logger
	// Access is the same log for records that may wait up to 100 ms, so that
	// many are written together.
	Access *slog.Logger

	level *slog.LevelVar
	file  *file // nil: no file
	late  []*late
	close []io.Closer
}

// Open opens the log. A file is created with mode 0640 if it is missing.
func Open(c Config) (*Log, error) {
	l := &Log{level: new(slog.LevelVar)}
	l.level.Set(c.Level)
	var hs, access []slog.Handler
	add := func(w io.Writer, trouble func(error)) {
		shared := &late{w: w, dropped: l.lossNotice(c.Format), trouble: trouble}
		l.late = append(l.late, shared)
		hs = append(hs, l.handler(c.Format, shared))
		access = append(access, newFlat(c.Format, waiter{shared}, l.handler(c.Format, waiter{shared})))
	}
	if c.File != "" {
		f, err := openFile(c.File)
		if err != nil {
			return nil, fmt.Errorf("log file: %w", err)
		}
		l.file, l.close = f, append(l.close, f)
		add(f, c.Trouble)
	}
	if c.Syslog {
		h, err := l.openSyslog(c)
		if err != nil {
			return nil, fmt.Errorf("syslog: %w", err)
		}
		hs, access = append(hs, h), append(access, h)
	}
	if c.Stderr {
		add(os.Stderr, nil)
	}
	if len(hs) == 0 {
		out := c.Stdout
		if out == nil {
			out = os.Stdout
		}
		add(out, nil)
	}
	l.Logger, l.Access = logger(hs), logger(access)
	return l, nil
}

func logger(hs []slog.Handler) *slog.Logger {
	if len(hs) == 1 {
		return slog.New(hs[0])
	}
	return slog.New(slog.NewMultiHandler(hs...))
}

func (l *Log) handler(f Format, w io.Writer) slog.Handler {
	if f == JSON {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l.level, ReplaceAttr: inSeconds})
	}
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: l.level})
}

// lossNotice makes the line that tells of lines dropped.
func (l *Log) lossNotice(f Format) func(n int) []byte {
	return func(n int) []byte {
		var line bytes.Buffer
		slog.New(l.handler(f, &line)).Error("log lines were dropped: nobody took them in time", "count", n)
		return line.Bytes()
	}
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
	return errors.Join(l.flush(), l.file.reopen())
}

// Close closes what Open opened. Records logged later are lost.
func (l *Log) Close() error {
	first := l.flush()
	for _, c := range l.close {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// flush writes the records that were waiting.
func (l *Log) flush() (first error) {
	for _, w := range l.late {
		if err := w.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
