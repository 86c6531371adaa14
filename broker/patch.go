package broker

import (
	"fmt"
	"slices"

	"zaqar/messaging"
)

// patch applies the operations in order (http-v2 §7.5). It fails with Conflict
// if one addresses a member that is not there, and leaves m alone.
//
// A client library replaces metadata by adding or replacing what it wants and
// then removing every member it had read and not replaced, those just added
// included. So within one document the removal of a member that was shown as
// null, and that the document added, is ignored.
func patch(q messaging.QueueRef, m *messaging.Metadata, ops []PatchOp) (*messaging.Metadata, error) {
	p := patching{topic: q.Topic, members: m.Members(), added: map[string]bool{}}
	for i, op := range ops {
		if err := p.apply(op); err != nil {
			return nil, messaging.E(messaging.Conflict, fmt.Sprintf("Operation %d of the patch: %s", i+1, err))
		}
	}
	return messaging.NewMetadata(p.members), nil
}

type patching struct {
	topic   bool
	members []messaging.Member
	added   map[string]bool // members shown as null before this document added them
}

func (p *patching) apply(op PatchOp) error {
	at := slices.IndexFunc(p.members, func(m messaging.Member) bool { return m.Name == op.Key })
	stored := at >= 0
	if !stored && op.Op != "add" && !isDefaulted(p.topic, op.Key) {
		return fmt.Errorf("there is no member %s to %s.", quoted(op.Key), op.Op)
	}
	switch {
	case op.Op == "remove":
		if stored && !p.added[op.Key] {
			p.members = slices.Delete(p.members, at, at+1)
		}
		return nil
	case op.Op == "add" && shownAsNull(p.topic, op.Key) && (!stored || falseLike(p.members[at].Value)):
		p.added[op.Key] = true
	}
	if stored {
		p.members[at].Value = op.Value
	} else {
		p.members = append(p.members, messaging.Member{Name: op.Key, Value: op.Value})
	}
	return nil
}
