package load

import (
	"errors"
	"fmt"
	"strings"
)

// Findings are what an audit found wrong, by kind.
type Findings struct {
	Lost         Finding `json:"lost,omitzero"`
	Missed       Finding `json:"missed,omitzero"` // by a connection that was to list all
	Duplicate    Finding `json:"duplicate,omitzero"`
	Phantom      Finding `json:"phantom,omitzero"`
	ClaimedTwice Finding `json:"claimed_twice,omitzero"`
	DeletedTwice Finding `json:"deleted_twice,omitzero"`
	Undead       Finding `json:"undead,omitzero"`
	OutOfOrder   Finding `json:"out_of_order,omitzero"`
	Altered      Finding `json:"altered,omitzero"`
}

// Finding is how many messages something is wrong with, and some of them.
type Finding struct {
	Count int      `json:"count"`
	IDs   []string `json:"ids"` // no more than maxIDs; of queues but 0 with their number before
}

// maxIDs is how many ids a finding names.
const maxIDs = 5

func (f *Finding) add(key string) {
	if len(f.IDs) < maxIDs {
		f.IDs = append(f.IDs, strings.Clone(key))
	}
	f.Count++
}

// kind is a kind of finding with its description.
type kind struct {
	what string
	*Finding
}

func (f *Findings) kinds() []kind {
	return []kind{
		{"lost", &f.Lost}, {"missed by a reader", &f.Missed}, {"duplicate", &f.Duplicate}, {"never posted", &f.Phantom},
		{"claimed twice", &f.ClaimedTwice}, {"deleted twice", &f.DeletedTwice},
		{"back after deletion", &f.Undead}, {"out of order", &f.OutOfOrder},
		{"with another body", &f.Altered},
	}
}

// ErrFindings is wrapped by every error of findings.
var ErrFindings = errors.New("messages are not accounted for")

// Err returns nil if nothing is wrong; else it says what, and of which ids.
func (f *Findings) Err() error {
	var all []string
	for _, k := range f.kinds() {
		if k.Count > 0 {
			more := ""
			if k.Count > len(k.IDs) {
				more = ", …"
			}
			all = append(all, fmt.Sprintf("%d %s (%s%s)", k.Count, k.what, strings.Join(k.IDs, ", "), more))
		}
	}
	if all == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrFindings, strings.Join(all, "; "))
}
