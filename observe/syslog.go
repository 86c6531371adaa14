package observe

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"log/syslog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// syslogTag names the program in the system's log.
const syslogTag = "zaqar"

func facilities() map[string]syslog.Priority {
	return map[string]syslog.Priority{
		"kern": syslog.LOG_KERN, "user": syslog.LOG_USER, "mail": syslog.LOG_MAIL,
		"daemon": syslog.LOG_DAEMON, "auth": syslog.LOG_AUTH, "syslog": syslog.LOG_SYSLOG,
		"lpr": syslog.LOG_LPR, "news": syslog.LOG_NEWS, "uucp": syslog.LOG_UUCP,
		"cron": syslog.LOG_CRON, "authpriv": syslog.LOG_AUTHPRIV, "ftp": syslog.LOG_FTP,
		"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2,
		"local3": syslog.LOG_LOCAL3, "local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5,
		"local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
	}
}

// Facilities lists the names of the syslog facilities, spelled LOG_USER.
func Facilities() []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(facilities())) {
		names = append(names, "LOG_"+strings.ToUpper(n))
	}
	return names
}

// facility understands LOG_USER, user and any letter case.
func facility(name string) (syslog.Priority, error) {
	if name == "" {
		return syslog.LOG_USER, nil
	}
	p, ok := facilities()[strings.TrimPrefix(strings.ToLower(name), "log_")]
	if !ok {
		return 0, fmt.Errorf("no facility %q", name)
	}
	return p, nil
}

func (l *Log) openSyslog(c Config) (slog.Handler, error) {
	p, err := facility(c.Facility)
	if err != nil {
		return nil, err
	}
	var w *syslog.Writer
	if c.SyslogSocket != "" {
		w, err = syslog.Dial("unixgram", c.SyslogSocket, p|syslog.LOG_INFO, syslogTag)
	} else {
		w, err = syslog.New(p|syslog.LOG_INFO, syslogTag)
	}
	if err != nil {
		return nil, err
	}
	l.close = append(l.close, w)
	s := &syslogSink{w: w}
	if c.Format == JSON {
		timeless := func(groups []string, a slog.Attr) slog.Attr { return inSeconds(groups, dropTime(groups, a)) }
		return syslogHandler{s, slog.NewJSONHandler(&s.buf, &slog.HandlerOptions{Level: l.level, ReplaceAttr: timeless})}, nil
	}
	return syslogHandler{s, slog.NewTextHandler(&s.buf, &slog.HandlerOptions{Level: l.level, ReplaceAttr: dropTime})}, nil
}

// dropTime leaves the time to the daemon, which stamps every line.
func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

type syslogSink struct {
	mu  sync.Mutex // guards buf between a record's rendering and its sending
	buf bytes.Buffer
	w   *syslog.Writer
}

// syslogHandler renders with another handler and sends the line with the
// priority of its level.
type syslogHandler struct {
	sink   *syslogSink
	render slog.Handler
}

// Enabled implements slog.Handler.
func (h syslogHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.render.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h syslogHandler) WithAttrs(as []slog.Attr) slog.Handler {
	return syslogHandler{h.sink, h.render.WithAttrs(as)}
}

// WithGroup implements slog.Handler.
func (h syslogHandler) WithGroup(name string) slog.Handler {
	return syslogHandler{h.sink, h.render.WithGroup(name)}
}

// Handle implements slog.Handler: a record is one message to syslog.
func (h syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
	if err := h.render.Handle(ctx, r); err != nil {
		return err
	}
	line := strings.TrimSuffix(s.buf.String(), "\n")
	switch {
	case r.Level >= slog.LevelError:
		return s.w.Err(line)
	case r.Level >= slog.LevelWarn:
		return s.w.Warning(line)
	case r.Level >= slog.LevelInfo:
		return s.w.Info(line)
	default:
		return s.w.Debug(line)
	}
}
