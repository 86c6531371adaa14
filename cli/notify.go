package cli

import "github.com/coreos/go-systemd/v22/daemon"

// What systemd is told of a unit of Type=notify, and of notify-reload. Others
// who start the server do not ask.
const (
	serving  = daemon.SdNotifyReady
	stopping = daemon.SdNotifyStopping
)

// tell tells systemd how far the server is, if it wants to know.
func (p *process) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		p.log.Warn("systemd could not be told", "state", state, "error", err)
	}
}

// reloading tells systemd that the configuration is being read again; serving
// ends it.
func (p *process) reloading() {
	p.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}
