package faultdisk

import "io"

// pageSize is the unit in which memory is shared and space is accounted.
const pageSize = 4096

// content is the bytes of a file in pages that clones share until they write.
// A nil page is a hole; zeros is a page with space of its own but no data yet.
// Bytes behind size are zero.
type content struct {
	size  int64
	pages []*page
	own   *owner
}

type page struct {
	own *owner
	b   [pageSize]byte
}

// owner marks the pages that one content may write to.
type owner struct{ _ byte }

var zeros = new(page)

// clone returns a copy. Neither owns the common pages afterwards.
func (c *content) clone() content {
	c.own = new(owner)
	return content{size: c.size, pages: append([]*page(nil), c.pages...), own: new(owner)}
}

func (c *content) readAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-off))
	c.copyOut(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// copyOut reads a range that may lie behind the end.
func (c *content) copyOut(p []byte, off int64) {
	for len(p) > 0 {
		i, in := int(off/pageSize), int(off%pageSize)
		n := min(len(p), pageSize-in)
		if pg := c.page(i); pg != nil {
			copy(p[:n], pg.b[in:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+int64(n)
	}
}

// page returns page i if it holds data.
func (c *content) page(i int) *page {
	if i >= len(c.pages) || c.pages[i] == zeros {
		return nil
	}
	return c.pages[i]
}

// before returns the bytes of a range, nil if nothing was written there.
func (c *content) before(off, n int64) []byte {
	for i := off / pageSize; i*pageSize < off+n; i++ {
		if c.page(int(i)) != nil {
			old := make([]byte, n)
			c.copyOut(old, off)
			return old
		}
	}
	return nil
}

// missing counts the pages that a range lacks space for.
func (c *content) missing(off, n int64) int64 {
	var count int64
	for i := off / pageSize; i*pageSize < off+n; i++ {
		if int(i) >= len(c.pages) || c.pages[i] == nil {
			count++
		}
	}
	return count
}

// used counts the pages that take space.
func (c *content) used() int64 {
	var count int64
	for _, pg := range c.pages {
		if pg != nil {
			count++
		}
	}
	return count
}

func (c *content) grow(end int64) {
	if need := int((end + pageSize - 1) / pageSize); need > len(c.pages) {
		c.pages = append(c.pages, make([]*page, need-len(c.pages))...)
	}
	c.size = max(c.size, end)
}

func (c *content) writeAt(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	c.grow(off + int64(len(p)))
	for len(p) > 0 {
		i, in := int(off/pageSize), int(off%pageSize)
		n := copy(c.writable(i).b[in:], p)
		p, off = p[n:], off+int64(n)
	}
}

func (c *content) writable(i int) *page {
	pg := c.pages[i]
	if pg == nil {
		pg = &page{own: c.own}
	} else if pg.own != c.own {
		pg = &page{own: c.own, b: pg.b}
	}
	c.pages[i] = pg
	return pg
}

// zero makes a range read zeros. It leaves holes alone.
func (c *content) zero(off, n int64) {
	for end := off + n; off < end; {
		i, in := int(off/pageSize), int(off%pageSize)
		m := min(int64(pageSize-in), end-off)
		if c.page(i) != nil {
			clear(c.writable(i).b[in:][:m])
		}
		off += m
	}
}

// restore puts back what before returned.
func (c *content) restore(old []byte, off, n int64) {
	if old == nil {
		c.zero(off, n)
		return
	}
	size := c.size
	c.writeAt(old, off)
	c.size = size
}

func (c *content) reserve(off, n int64) {
	c.grow(off + n)
	for i := off / pageSize; i*pageSize < off+n; i++ {
		if c.pages[i] == nil {
			c.pages[i] = zeros
		}
	}
}

// resize sets the size and gives up the space behind it.
func (c *content) resize(size int64) {
	if size >= c.size {
		c.grow(size)
		return
	}
	keep := (size + pageSize - 1) / pageSize
	c.zero(size, keep*pageSize-size)
	clear(c.pages[keep:])
	c.pages = c.pages[:keep]
	c.size = size
}
