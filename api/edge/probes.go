package edge

import (
	"math/rand/v2"
	"net"
	"time"
)

// The kernel asks a silent peer whether it is still there. One that is not is
// noticed after 105 to 195 seconds.
const (
	probeAfter = 45 * time.Second // and up to 30 more
	probeEvery = 10 * time.Second // and up to 10 more
	probes     = 6                // in vain
)

// probe has a connection probed at moments of its own. Thousands of clients who
// come back at once, as after a restart, would otherwise be probed at once for
// ever after: more packets than a network interface queues, and whose are lost
// each time is taken for gone.
func probe(c *net.TCPConn) {
	_ = c.SetKeepAliveConfig(net.KeepAliveConfig{ // a connection that has ended fails by itself
		Enable: true, Idle: probeAfter + rand.N(30*time.Second), Interval: probeEvery + rand.N(10*time.Second), Count: probes,
	})
}
