package app

import (
	"net"
	"syscall"
	"time"

	"zaqar/api/edge"
)

// limit has the listener refuse connections beyond what is configured.
func (a *App) limit(l net.Listener) *edge.Limited {
	h := a.options.HTTP
	limits := edge.Limits{
		Total: int(h.MaxConnections), PerAddress: int(h.MaxConnectionsPerAddress), Exempt: a.options.REST.Trust.Proxies,
		Refusal: edge.TooMany(), Log: a.log, Now: time.Now,
	}
	if limits.Total == 0 {
		limits.Total = roomForConnections(openFiles())
	}
	return edge.Limit(l, limits)
}

// roomForConnections returns how many connections there may be when the
// process may open so many files: the store needs some, and fails requests
// when it gets none.
func roomForConnections(files uint64) int {
	const (
		least   = 64
		largest = 1 << 30
	)
	files = min(files, largest)
	return int(files - min(max(files/10, least), files/2))
}

// openFiles returns how many files the process may open; 0 if that cannot be
// told.
func openFiles() uint64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return r.Cur
}
