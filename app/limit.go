package app

import (
	"net"
	"syscall"
	"time"

	"zaqar/api/edge"
	"zaqar/notify"
	"zaqar/notify/webhook"
)

// limit has the listener refuse connections beyond what is configured.
func (a *App) limit(l net.Listener) *edge.Limited {
	h := a.options.HTTP
	limits := edge.Limits{
		Total: int(h.MaxConnections), PerAddress: int(h.MaxConnectionsPerAddress), Exempt: a.options.REST.Trust.Proxies,
		Refusal: edge.TooMany(), Log: a.log, Now: time.Now,
	}
	if limits.Total == 0 {
		limits.Total = roomForConnections(openFiles(), a.filesOfDeliveries())
	}
	return edge.Limit(l, limits)
}

// roomForConnections returns how many connections of clients there may be when
// the process may open so many files: the store needs some, and fails requests
// when it gets none, and so do deliveries. Those get a quarter at most, and both
// together half.
func roomForConnections(files uint64, deliveries int) int {
	const (
		least   = 64
		largest = 1 << 30
	)
	files = min(files, largest)
	others := max(files/10, least) + min(uint64(deliveries), files/4)
	return int(files - min(others, files/2))
}

// filesOfDeliveries is how many files deliveries may open: connections in flight
// and those that stay open for more, and three pipes for each mail.
func (a *App) filesOfDeliveries() int {
	if a.notifier == nil {
		return 0
	}
	return a.options.Notification.files() + a.options.Notification.stuck(openFiles()) + 3*int(a.options.Mail.Limit)
}

func (n *Notification) inFlight() int { return int(n.Workers) * notify.PerWorker }

// files is how many files webhooks may open, but for those that are stuck.
func (n *Notification) files() int { return n.inFlight() + webhook.IdleConnections(n.inFlight()) }

// stuck is how many webhooks may be stuck when the process may open so many
// files, 0: it is not known. With the others they get a quarter.
func (n *Notification) stuck(files uint64) int {
	most := n.inFlight() * notify.StuckFactor
	if files == 0 {
		return most
	}
	return min(most, max(int(min(files, 1<<30)/4)-n.files(), 0))
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
