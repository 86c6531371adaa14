package app

import (
	"context"
	"os"
	"strconv"
	"strings"
)

// Healthcheck says when the page for load balancers at the API tells them to
// go elsewhere (operations §7.2). That the server is not ready always does.
type Healthcheck struct {
	// DisableFile names a file that, while it exists, takes the server out of
	// service.
	DisableFile string
	// DisableFiles do so for servers on a port: 8888:/etc/zaqar/disabled.
	DisableFiles []string
	// EnableFiles are files one of which has to exist, if there are any here.
	EnableFiles []string
}

// What the page says.
const (
	healthOK       = "OK"
	healthNotReady = "NOT READY"
	healthDisabled = "DISABLED BY FILE"
	healthAbsent   = "FILE PATH MISSING"
)

// healthy answers the page for load balancers.
func (a *App) healthy(ctx context.Context) (reason string, healthy bool) {
	h := a.options.Health
	if h.DisableFile != "" && exists(h.DisableFile) {
		return healthDisabled, false
	}
	port := strconv.FormatInt(a.options.HTTP.Port, 10)
	for _, f := range h.DisableFiles {
		if at, path, ok := strings.Cut(f, ":"); ok && at == port && exists(path) {
			return healthDisabled, false
		}
	}
	enabled := len(h.EnableFiles) == 0
	for _, f := range h.EnableFiles {
		enabled = enabled || exists(f)
	}
	switch {
	case !enabled:
		return healthAbsent, false
	case !a.monitor.ready(ctx).Ready:
		return healthNotReady, false
	}
	return healthOK, true
}

// exists reports whether there is a file. One that cannot be looked at does
// not count: whoever made it a switch can see to that.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
