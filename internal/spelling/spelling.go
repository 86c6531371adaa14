// Package spelling finds what somebody may have meant.
package spelling

// Nearest returns the word that a slip of the pen would turn into name, or "".
// Letter case is free of charge, and dashes are as good as underscores.
func Nearest(name string, words []string) string {
	best, least := "", 1+len(name)/4
	for _, w := range words {
		if d := distance(name, w); d <= least && (best == "" || d < distance(name, best)) {
			best = w
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements of single bytes
// that lead from a to b; letter case is free of charge.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if lower(a[i]) != lower(b[j]) {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// lower also makes dashes underscores, which are mistaken for each other.
func lower(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '-':
		return '_'
	}
	return c
}
