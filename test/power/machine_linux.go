package power

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"zaqar/storage/embedded/disk/faultdisk"
	"zaqar/test/crash"
)

// machine is a computer whose power can be cut while the server runs on it.
type machine struct {
	top   string // where the server's file system is mounted
	under string // with ext4, where the layer is that holds its image; else ""
	disk  *faultdisk.Disk
	layer *Layer
	rng   *rand.Rand
	loss  faultdisk.Loss // of all cuts
	lies  faultdisk.Kind // operations that every disk from now on acknowledges and drops
	count counts

	// booted is the disk as the last cut left it, before anything recovered.
	booted *faultdisk.Disk
}

// counts is what a run did.
type counts struct {
	Load, Start, Stopped int            // cuts under load, during recovery, and after an orderly stop
	In                   map[string]int // what the disk was doing at a cut
	Ops                  [4]int64       // the disk's operations, as opKinds
}

// opKinds are the operations that are counted.
var opKinds = [4]faultdisk.Kind{faultdisk.Write, faultdisk.Sync | faultdisk.SyncDir,
	faultdisk.Create | faultdisk.Rename | faultdisk.Remove, faultdisk.Truncate | faultdisk.Allocate}

// newMachine returns a machine that is switched on, with an empty disk. The
// file system of the server is the layer on top, or ext4 in an image on a layer
// on under, unless that is empty.
func newMachine(top, under string, c faultdisk.Config, loss faultdisk.Loss, rng *rand.Rand) (*machine, error) {
	m := &machine{top: top, under: under, disk: faultdisk.New(c), rng: rng, loss: loss, count: counts{In: map[string]int{}}}
	if under != "" {
		if err := format(m.disk, under); err != nil {
			return nil, err
		}
	}
	return m, m.boot()
}

// lie makes the disk acknowledge operations of a kind and drop them, now and
// after each boot.
func (m *machine) lie(about faultdisk.Kind) {
	m.lies = about
	m.disk.Inject(faultdisk.Fault{Kind: about, Lie: true})
}

// boot mounts what there is.
func (m *machine) boot() (err error) {
	m.booted = m.disk.Clone()
	if m.lies != 0 {
		m.lie(m.lies)
	}
	if m.under == "" {
		m.layer, err = Mount(m.top, m.disk)
		return err
	}
	if m.layer, err = Mount(m.under, m.disk); err != nil {
		return err
	}
	return mountImage(m.under, m.top)
}

// off unmounts it.
func (m *machine) off() error {
	if m.under != "" {
		if err := unmountImage(m.top); err != nil {
			return err
		}
	}
	return m.layer.Unmount()
}

// patience is how long a cut waits for the moment it is to come at.
const patience = time.Second

// cut cuts the power under a running server, at a moment by chance, and boots.
func (m *machine) cut(s *crash.Server) error {
	m.count.Load++
	within := int64(200)
	if m.under != "" {
		within = 40 // each change takes longer there
	}
	return m.crash(s, m.moment(within))
}

// cutStarting does so while a server starts.
func (m *machine) cutStarting(s *crash.Server) error {
	m.count.Start++
	return m.crash(s, m.moment(12))
}

// moment chooses when the power goes: some changes of the disk from now, or at
// some change of a directory, a size or an allocation, which are rare. It
// returns what to wait for, and a name for it.
func (m *machine) moment(within int64) moment {
	if m.rng.IntN(3) > 0 {
		m.disk.CrashAt(m.disk.Changes() + 1 + m.rng.Int64N(within))
		return moment{name: "some change"}
	}
	kinds := []faultdisk.Kind{faultdisk.Create, faultdisk.Remove, faultdisk.Rename, faultdisk.SyncDir, faultdisk.Truncate, faultdisk.Allocate}
	if m.under != "" {
		kinds = []faultdisk.Kind{faultdisk.Sync} // of the image: an image has nothing else
	}
	kind := kinds[m.rng.IntN(len(kinds))]
	gate := faultdisk.NewGate()
	m.disk.Inject(faultdisk.Fault{Kind: kind, Gate: gate, Times: 1})
	return moment{name: kind.String(), gate: gate, after: m.rng.Int64N(4)}
}

// moment is when a cut comes.
type moment struct {
	name  string
	gate  *faultdisk.Gate // nil: the disk crashes by itself
	after int64           // changes after the one at the gate; 0: it does not happen
}

// wait returns when the moment has come, or will not.
func (m *machine) wait(s *crash.Server, at moment) string {
	var arrived <-chan struct{}
	if at.gate != nil {
		arrived = at.gate.Arrived()
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case <-m.disk.Dead():
			return at.name
		case <-arrived:
			if at.after == 0 {
				return at.name
			}
			m.disk.CrashAt(m.disk.Changes() + at.after)
			at.gate.Open()
			arrived = nil
		case <-late.C:
			return "quiet"
		case <-s.Exited():
			return "exit"
		}
	}
}

// crash cuts the power at the moment and boots with what is left.
func (m *machine) crash(s *crash.Server, at moment) error {
	name := m.wait(s, at)
	if name == "exit" {
		return errors.New("the server ended by itself\n" + s.Output())
	}
	return m.fail(s, name, m.loss)
}

// stop stops the server in order and then cuts the power. Nothing may be left
// to lose.
func (m *machine) stop(s *crash.Server) error {
	m.count.Stopped++
	if err := s.Stop(); err != nil {
		return err
	}
	return m.fail(s, "stopped", faultdisk.LoseAll)
}

// fail is the power failure: the disk stops, then everything else, and what
// was not synced is lost in part.
func (m *machine) fail(s *crash.Server, during string, loss faultdisk.Loss) error {
	m.count.In[during]++
	cut := faultdisk.Cut{Loss: loss, Seed: m.rng.Uint64(), Ordered: m.rng.IntN(3) == 0}
	if m.under == "" { // ext4 relies on whole sectors
		cut.Torn, cut.Garbage = m.rng.IntN(2) == 0, m.rng.IntN(4) == 0
	}
	found := m.disk.Crash(cut)
	s.Shoot()
	m.layer.Resume()
	s.Kill()
	if err := m.off(); err != nil {
		return err
	}
	for i, kind := range opKinds {
		m.count.Ops[i] += m.disk.Stats().Count(kind)
	}
	m.disk = found
	return m.boot()
}

// report writes what happened.
func (m *machine) report(w io.Writer) {
	fmt.Fprintf(w, "%d power cuts under load, %d during recovery, %d after a stop; at %v\n",
		m.count.Load, m.count.Start, m.count.Stopped, m.count.In)
	for i, kind := range opKinds {
		fmt.Fprintf(w, "%d %v; ", m.count.Ops[i], kind)
	}
}

// save writes what the last cut left into a directory.
func (m *machine) save(dir string) error { return export(m.booted, "/", dir) }

func export(d *faultdisk.Disk, from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	names, err := d.List(from)
	for _, name := range names {
		path := filepath.Join(from, name)
		i, serr := d.Stat(path)
		switch {
		case serr != nil:
			err = errors.Join(err, serr)
		case i.Dir:
			err = errors.Join(err, export(d, path, filepath.Join(to, name)))
		default:
			b, rerr := d.ReadFile(path)
			err = errors.Join(err, rerr, os.WriteFile(filepath.Join(to, name), b, 0o600))
		}
	}
	return err
}
