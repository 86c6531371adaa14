package main

import (
	"context"
	"strings"
)

// wants reports whether a row was asked for.
func (b *bench) wants(name string) bool { return b.run.MatchString(name) }

// measure measures everything that was asked for.
func (b *bench) measure(ctx context.Context) error {
	for _, mode := range b.modes() {
		if err := b.againstNull(ctx, mode); err != nil {
			return err
		}
	}
	return nil
}

// rowList describes the rows for the help text.
func rowList() string {
	var s strings.Builder
	for _, r := range httpRows() {
		s.WriteString("  " + r.Name + "\t" + r.what + "\n")
	}
	return s.String()
}
