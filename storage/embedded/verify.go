package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"zaqar/messaging"
)

// VerifyReport is what Verify found. The store is clean if Damage is empty.
type VerifyReport struct {
	Dir      string    `json:"dir"`
	Store    string    `json:"store,omitempty"`  // its identity
	Backup   string    `json:"backup,omitempty"` // when it was made, if this is a backup that was never opened
	Clean    bool      `json:"clean"`
	Damage   []Finding `json:"damage"`
	Notes    []Note    `json:"notes"`
	Segments int       `json:"segments"`
	Indexes  int       `json:"indexes"`
	Records  int64     `json:"records"`  // whole ones, in segments
	Messages int       `json:"messages"` // that a start would find and serve
	Bytes    int64     `json:"bytes"`    // of segments and index files
}

// Finding is one piece of damage. Offset and Bytes are zero when it concerns a
// file as a whole.
type Finding struct {
	File    string `json:"file"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	Problem string `json:"problem"`

	// What the damaged record was, as far as that is known: from the index, or
	// else from what is left of the record itself.
	Record  string            `json:"record,omitempty"` // message, claim, renewal, release, removal, purge, move, state, control, commit, header
	Project messaging.Project `json:"project,omitempty"`
	Queue   string            `json:"queue,omitempty"`
	Message string            `json:"message,omitempty"`
	Source  string            `json:"known_from,omitempty"` // index, record

	// Acknowledged tells that what is damaged was on disk before.
	Acknowledged bool `json:"acknowledged"`
	// Live tells whether the message was still in its queue: if not, nothing
	// is lost with it. It is missing where that is not known.
	Live *bool `json:"live,omitempty"`
}

// Note is something worth knowing that is no damage.
type Note struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// Verify reads every byte of the store in t.Dir, which may be stopped or in
// use, or a backup, and reports what is damaged. It changes nothing. An error
// means that it could not be done.
//
// It finds what checksums, the index files, the order of numbers and the
// operations on messages give away. It does not notice that a segment file was
// removed whole, unless the store is a backup, which lists its files.
func Verify(ctx context.Context, t Tool) (_ *VerifyReport, err error) {
	sn, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sn.close()) }()
	v := &verifier{
		Tool: t, ctx: ctx, sn: sn, contents: make(map[uint32]*contents),
		VerifyReport: &VerifyReport{Dir: t.Dir, Damage: []Finding{}, Notes: []Note{}},
	}
	v.small()
	v.headers()
	if err := v.replayed(); err != nil {
		return nil, err
	}
	if err := v.segments(); err != nil {
		return nil, err
	}
	if err := v.manifest(); err != nil {
		return nil, err
	}
	v.unreadable()
	v.leftovers()
	v.Clean = len(v.Damage) == 0
	return v.VerifyReport, nil
}

// verifier is one run of Verify.
type verifier struct {
	*VerifyReport
	Tool
	ctx         context.Context
	sn          *snapshot
	next        uint64 // as the latest commit says
	contents    map[uint32]*contents
	done, total int64
}

func (v *verifier) damaged(f Finding) { v.VerifyReport.Damage = append(v.VerifyReport.Damage, f) }

func (v *verifier) note(file, format string, args ...any) {
	v.Notes = append(v.Notes, Note{file, fmt.Sprintf(format, args...)})
}

// small checks the FORMAT and FAILED files.
func (v *verifier) small() {
	if v.sn.unknown != nil {
		v.damaged(Finding{File: formatName, Problem: v.sn.unknown.Error(), Acknowledged: true})
	} else {
		v.Store = fmt.Sprintf("%08x", v.sn.epoch)
		b, err := readFile(v.sn.fs, v.sn.dir+"/"+formatName)
		if want, merr := encodeFormat(v.sn.epoch); err != nil || merr != nil || string(b) != string(want) {
			v.note(formatName, "it is not as a store writes it, but says the same")
		}
	}
	if !slices.Contains(v.sn.names, failedName) {
		return
	}
	var segment, offset uint32
	b, err := readFile(v.sn.fs, v.sn.dir+"/"+failedName)
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d %d\n", &segment, &offset)
	}
	switch {
	case err == nil && string(b) == failureMark(segment, offset):
		v.note(failedName, "a disk error has ended the writing of the store, at offset %d of %s; it goes on after a restart", offset, segmentName(segment))
	case errors.Is(err, fs.ErrNotExist): // a start has just removed it
	default:
		v.note(failedName, "a disk error has ended the writing of the store; where, cannot be read")
	}
}

// headers reports segments whose header was found to be bad.
func (v *verifier) headers() {
	for _, d := range v.sn.damage {
		v.damaged(Finding{File: segmentName(d.Segment), Bytes: int64(d.Bytes), Record: "header", Acknowledged: true, Problem: d.Problem})
	}
	v.sn.damage = nil
}

// replayed rebuilds the state of the store, which tells the names of queues and
// which messages are live.
func (v *verifier) replayed() error {
	err := v.replay(v.ctx, v.sn)
	if v.ctx.Err() != nil {
		return err
	}
	if err != nil {
		v.damaged(Finding{File: ".", Problem: fmt.Sprintf("the store does not open: %v", err), Acknowledged: true})
		return nil
	}
	for _, q := range v.sn.queues {
		v.Messages += q.live
	}
	return nil
}

// segments reads all segments.
func (v *verifier) segments() error {
	open := v.sn.open
	for _, seg := range slices.Concat(open, v.sn.unused) {
		size, err := seg.file.Size()
		if err != nil {
			return err
		}
		v.total += size
	}
	for i, seg := range open {
		if err := v.segment(seg, i == len(open)-1); err != nil {
			return err
		}
	}
	for _, seg := range v.sn.unused {
		if err := v.unusedSegment(seg); err != nil {
			return err
		}
	}
	return nil
}

// unusedSegment checks a segment in which no commit is whole.
func (v *verifier) unusedSegment(seg *segment) error {
	w := &window{seg: seg}
	empty, err := w.zero(headerSize, math.MaxInt32)
	if err != nil {
		return err
	}
	if !empty {
		inUse, err := begun(seg)
		if err != nil {
			return err
		}
		if !inUse { // it was not taken into use meanwhile
			v.note(segmentName(seg.number), "its first commit is not complete, and was never acknowledged")
		}
	}
	return v.advance(seg)
}

// advance tells of a segment that has been read.
func (v *verifier) advance(seg *segment) error {
	size, err := seg.file.Size()
	if err != nil {
		return err
	}
	v.Segments++
	v.Bytes += size
	v.done += size
	v.tell("verifying", v.done, v.total)
	return v.ctx.Err()
}

// manifest checks the files of a backup against its list.
func (v *verifier) manifest() error {
	m, err := readManifest(v.sn.fs, v.sn.dir)
	if m == nil && err == nil {
		return nil
	}
	if err != nil {
		v.damaged(Finding{File: manifestName, Problem: err.Error(), Acknowledged: true})
		return nil
	}
	v.Backup = m.Made.Format(time.RFC3339)
	if err := m.fits(v.sn.recovery, v.sn.names); err != nil {
		v.damaged(Finding{File: manifestName, Problem: err.Error(), Acknowledged: true})
	}
	var done, total int64
	for _, f := range m.Files {
		total += f.Bytes
	}
	for _, f := range m.Files {
		v.tell("comparing", done, total)
		done += f.Bytes
		same, err := v.sameFile(f)
		if err != nil && v.ctx.Err() != nil {
			return err
		}
		reported := slices.ContainsFunc(v.VerifyReport.Damage, func(d Finding) bool { return d.File == f.Name })
		if !same && !reported {
			v.damaged(Finding{File: f.Name, Problem: "it is not what the backup wrote", Acknowledged: true})
		}
	}
	return nil
}

func (v *verifier) sameFile(f manifestFile) (bool, error) {
	if err := v.ctx.Err(); err != nil {
		return false, err
	}
	same, err := f.sameIn(v.sn.fs, v.sn.dir)
	if errors.Is(err, fs.ErrNotExist) {
		_, isIndex := segmentNumber(f.Name, indexSuffix)
		return isIndex, nil // not needed, and noted; others are missed by fits
	}
	return same, err
}

// unreadable reports what the disk could not read, unless it is in what was
// reported already.
func (v *verifier) unreadable() {
	for _, d := range v.sn.unread() {
		name := segmentName(d.Segment)
		known := slices.ContainsFunc(v.VerifyReport.Damage, func(f Finding) bool {
			return f.File == name && d.overlaps(Damage{Segment: d.Segment, Offset: uint32(f.Offset), Bytes: uint32(f.Bytes)})
		})
		f := Finding{File: name, Offset: int64(d.Offset), Bytes: int64(d.Bytes), Problem: d.Problem}
		if known {
			v.note(name, "the disk cannot read %d bytes at offset %d", d.Bytes, d.Offset)
			continue
		}
		v.damaged(f)
	}
}

// leftovers notes files that the next start removes, and what was set aside.
func (v *verifier) leftovers() {
	for _, name := range v.sn.names {
		number, isIndex := segmentNumber(name, indexSuffix)
		switch {
		case unfinished(name):
			v.note(name, "a file that was being written; the next start removes it")
		case isIndex && !v.sn.has(number):
			v.note(name, "an index without a segment; the next start removes it")
		}
	}
	if names, err := v.sn.fs.List(v.sn.dir + "/" + quarantineName); err == nil && len(names) > 0 {
		v.note(quarantineName, "holds segments that were set aside because of damage: %s", strings.Join(names, ", "))
	}
}
