package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Condition is what a glance at a store shows, without reading its log.
type Condition struct {
	Dir        string   `json:"dir"`
	Store      string   `json:"store,omitempty"` // its identity
	Healthy    bool     `json:"healthy"`
	Problems   []string `json:"problems"` // why it is not healthy
	Segments   int      `json:"segments"` // files of the log
	Disk       int64    `json:"disk"`     // bytes these take, with their index files
	Free       int64    `json:"free_on_disk"`
	Quarantine int      `json:"quarantine"` // damaged segments that were set aside
}

// Glance tells within milliseconds whether the store in t.Dir, stopped or in
// use, can be expected to work: its FORMAT file and the headers of its segments
// are read, and its disk is asked for room. Verify looks at everything. The
// error is fs.ErrPermission if the files are another user's.
func Glance(ctx context.Context, t Tool) (_ *Condition, err error) {
	sn, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sn.close()) }()
	if errors.Is(sn.unknown, fs.ErrPermission) {
		return nil, sn.unknown
	}
	c := &Condition{Dir: t.Dir, Problems: []string{}}
	problem := func(format string, args ...any) { c.Problems = append(c.Problems, fmt.Sprintf(format, args...)) }
	if sn.unknown != nil {
		problem("%v", sn.unknown)
	} else {
		c.Store = fmt.Sprintf("%08x", sn.epoch)
	}
	for _, d := range sn.damage {
		problem("%s: %s", segmentName(d.Segment), d.Problem)
	}
	if slices.Contains(sn.names, failedName) {
		problem("a disk error has ended the writing of the store; it needs a restart")
	}
	for _, name := range sn.names {
		_, isLog := segmentNumber(name, logSuffix)
		_, isIndex := segmentNumber(name, indexSuffix)
		if isLog {
			c.Segments++
		}
		if isLog || isIndex {
			c.Disk += sizeOf(sn.fs, sn.dir+"/"+name)
		}
	}
	free, err := sn.fs.Free(sn.dir)
	if err != nil {
		return nil, err
	}
	if c.Free = int64(min(free, 1<<62)); c.Free < defaultSegment {
		problem("the disk is full: %d bytes are free, and the next segment of the log takes %d", c.Free, defaultSegment)
	}
	if names, err := sn.fs.List(sn.dir + "/" + quarantineName); err == nil {
		c.Quarantine = len(names)
	}
	c.Healthy = len(c.Problems) == 0
	return c, nil
}
