package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"zaqar/auth/policy"
)

// Policy says where the operator's own rules are. Without any file the default
// rules are in force.
type Policy struct {
	// Only, if not empty, are the files that are read instead of all others.
	// They have to exist.
	Only []string
	// Files are looked for in this order; the first that exists is read.
	Files []string
	// Dirs are places of directories, looked for alike. All files in them are
	// read after the file, in the order of their names, except for those whose
	// names begin with a dot.
	Dirs [][]string
	// DefaultRule is the rule that stands for rules that others refer to and
	// nobody defined.
	DefaultRule string
	// Interval is how often a running server looks whether a file has changed.
	// It takes the change at the second look, when whoever writes the file is
	// done. 0: never.
	Interval time.Duration
}

// maxPolicyFile bounds the size of a file of rules, in bytes.
const maxPolicyFile = 1 << 20

// Load reads the files and compiles them. The Policy is nil if there is an
// error among the findings. Sources are the files that were read.
func (p Policy) Load() (rules *policy.Policy, findings []policy.Finding, sources []string) {
	var files []policy.File
	failed := false
	for _, name := range p.find(func(dir string, err error) {
		failed = true
		findings = append(findings, unreadable(dir, err))
	}) {
		text, err := readPolicy(name)
		if err != nil {
			failed = true
			findings = append(findings, unreadable(name, err))
			continue
		}
		files, sources = append(files, policy.File{Name: name, Text: text}), append(sources, name)
	}
	rules, found := policy.Compile(files, p.DefaultRule)
	findings = append(findings, found...)
	if failed {
		rules = nil
	}
	return rules, findings, sources
}

func unreadable(name string, err error) policy.Finding {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return policy.Finding{File: name, Text: "cannot be read: " + err.Error(), Error: true}
}

func readPolicy(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err == nil && len(text) > maxPolicyFile {
		err = fmt.Errorf("it is larger than %d bytes", maxPolicyFile)
	}
	return text, err
}

// find lists the files to read, in order.
func (p Policy) find(report func(dir string, err error)) []string {
	if len(p.Only) > 0 {
		return p.Only
	}
	var names []string
	if name := first(p.Files, false); name != "" {
		names = append(names, name)
	}
	for _, places := range p.Dirs {
		dir := first(places, true)
		if dir == "" {
			continue
		}
		entries, err := os.ReadDir(dir) // in the order of names
		if err != nil {
			report(dir, err)
		}
		for _, e := range entries {
			if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, filepath.Join(dir, e.Name()))
			}
		}
	}
	return names
}

// first returns the first of the paths that exists. What a directory holds
// that this user may not enter is none of his business; anything else that
// cannot be looked at counts, so that what it says is not overlooked.
func first(paths []string, dir bool) string {
	for _, path := range paths {
		info, err := os.Stat(path)
		absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)
		if err == nil && info.IsDir() == dir || err != nil && !absent {
			return path
		}
	}
	return ""
}

// state describes the files so that a change of them shows.
func (p Policy) state() string {
	var b strings.Builder
	for _, name := range p.find(func(dir string, err error) { fmt.Fprintln(&b, dir, err) }) {
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintln(&b, name, err)
			continue
		}
		fmt.Fprintln(&b, name, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// policyWatch keeps the rules in force like the files.
type policyWatch struct {
	live *policy.Live
	log  *slog.Logger

	mu      sync.Mutex // held while files are looked at
	from    Policy
	sources []string // files whose rules are in force
	loaded  string   // state of the files when they were read last
	seen    string   // at the last look
}

// look reads the files again if they have changed and did not change any
// further since the look before. A file that is gone does not loosen anything:
// its rules stay in force until somebody says that this is meant, by prepare.
func (w *policyWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	state := w.from.state()
	settled := state == w.seen
	w.seen = state
	if state == w.loaded || !settled {
		return
	}
	w.loaded = state
	rules, findings, sources := w.from.Load()
	tell(w.log, findings)
	if rules == nil {
		w.log.Error("the policy was not reloaded; the old rules stay in force")
		return
	}
	if i := slices.IndexFunc(w.sources, missing); i >= 0 {
		w.log.Error("the policy was not reloaded: a file of rules is gone; the old rules stay in force until SIGHUP", "file", w.sources[i])
		return
	}
	w.live.Set(rules)
	w.sources = sources
	w.log.Info("policy reloaded", "files", sources)
}

func missing(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// prepare reads other files, or the same again, and returns what puts their
// rules in force.
func (w *policyWatch) prepare(from Policy) (enforce func(), err error) {
	state := from.state()
	rules, findings, sources := from.Load()
	if rules == nil {
		tell(w.log, findings)
		return nil, errPolicy
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.live.Set(rules)
		w.from, w.sources, w.loaded, w.seen = from, sources, state, state
	}, nil
}

// tell logs what was found about files of rules.
func tell(log *slog.Logger, findings []policy.Finding) {
	for _, f := range findings {
		level := slog.LevelWarn
		if f.Error {
			level = slog.LevelError
		}
		log.Log(context.Background(), level, "policy: "+f.Text, "rule", f.Rule, "at", fmt.Sprintf("%s:%d", f.File, f.Line))
	}
}

// errPolicy is the failure of a policy whose findings have been told.
var errPolicy = errors.New("the policy has errors")

// watchPolicy loads the rules and keeps watching them. What is odd about them
// the configuration has told.
func (a *App) watchPolicy() error {
	o := a.options.Policy
	state := o.state() // before they are read: what changes from now on shows
	rules, findings, sources := o.Load()
	if rules == nil {
		tell(a.log, findings)
		return errPolicy
	}
	if len(sources) > 0 {
		a.log.Info("policy read", "files", sources)
	}
	w := &policyWatch{from: o, sources: sources, live: policy.NewLive(rules), log: a.log, loaded: state, seen: state}
	a.policy = w
	if o.Interval <= 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.watch(ctx, o.Interval)
	}()
	a.undo.add("stop watching the policy", closeTime, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	return nil
}

func (w *policyWatch) watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look()
		}
	}
}
