package filter

// Work is what matching takes: bytes that are read, lookups and formulas.
func (p *Policy) Work(body []byte) int {
	var s state
	p.match(body, &s)
	return s.work
}
