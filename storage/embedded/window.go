package embedded

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
)

// window reads a segment piece by piece.
type window struct {
	seg  *segment
	from uint32
	b    []byte
	size int64 // of the file, once known
	span int   // bytes read at a time; windowSize if 0
}

const windowSize = 1 << 20

// bytes returns n bytes at offset at, fewer at the end of the file.
func (w *window) bytes(at uint32, n int) ([]byte, error) {
	if at < w.from || int64(at)+int64(n) > int64(w.from)+int64(len(w.b)) {
		size := max(cmp.Or(w.span, windowSize), n)
		if cap(w.b) < size {
			w.b = make([]byte, size)
		}
		got, err := w.seg.file.ReadAt(w.b[:size], int64(at))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", w.seg.name, err)
		}
		w.from, w.b = at, w.b[:got]
	}
	b := w.b[at-w.from:]
	return b[:min(n, len(b))], nil
}

// record returns the whole record at offset at (without padding), or nil if
// there is none. It is valid until the next call.
func (w *window) record(at uint32) ([]byte, frame, error) {
	b, err := w.bytes(at, frameSize)
	if err != nil || len(b) < frameSize {
		return nil, frame{}, err
	}
	f := readFrame(b)
	if f.size < frameSize || f.kind < recCommit || f.kind > recControl || f.size > 1<<30 {
		return nil, f, nil
	}
	if w.size == 0 {
		if w.size, err = w.seg.file.Size(); err != nil {
			return nil, f, err
		}
	}
	if int64(at)+int64(f.size) > w.size {
		return nil, f, nil
	}
	if b, err = w.bytes(at, int(f.size)); err != nil || len(b) < int(f.size) {
		return nil, f, err
	}
	if !intact(b, w.seg.salt, at) {
		return nil, f, nil
	}
	return b, f, nil
}

// zero reports whether the n bytes at offset at, or those up to the end of the
// file, are all zero.
func (w *window) zero(at uint32, n int) (bool, error) {
	for n > 0 {
		b, err := w.bytes(at, min(n, len(zeros)))
		if err != nil || len(b) == 0 {
			return err == nil, err
		}
		if !bytes.Equal(b, zeros[:len(b)]) {
			return false, nil
		}
		at += uint32(len(b))
		n -= len(b)
	}
	return true, nil
}

var zeros [64 << 10]byte

// findCommit returns the offset of the first whole commit record at or behind
// at, 0 if there is none.
func findCommit(seg *segment, at uint32) (uint32, error) {
	w := &window{seg: seg}
	for {
		b, err := w.bytes(at, 64<<10)
		if err != nil {
			return 0, err
		}
		for i := 0; i+commitSize <= len(b); i += alignment {
			f := readFrame(b[i:])
			if f.kind == recCommit && f.size == frameSize+8 && intact(b[i:i+frameSize+8], seg.salt, at+uint32(i)) {
				return at + uint32(i), nil
			}
		}
		if len(b) < 64<<10 {
			return 0, nil
		}
		at += uint32(len(b)) - commitSize
	}
}
