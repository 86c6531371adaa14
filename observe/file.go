package observe

import (
	"os"
	"sync"
)

// file is a log file that can be reopened under its writers.
type file struct {
	name string

	mu sync.Mutex // guards f
	f  *os.File
}

func openFile(name string) (*file, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	return &file{name: name, f: f}, nil
}

func open(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
}

// Write implements io.Writer. A record goes into one file whole, before or after
// a reopening.
func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Write(p)
}

func (f *file) reopen() error {
	n, err := open(f.name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.f
	f.f = n
	f.mu.Unlock()
	return old.Close()
}

// Close implements io.Closer.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Close()
}
