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
		if !p.apply(op) {
			return nil, messaging.E(messaging.Conflict,
				fmt.Sprintf("Operation %d of the patch: there is no member %s to %s.", i+1, quoted(op.Key), op.Op))
		}
	}
	return messaging.NewMetadata(p.members), nil
}

type patching struct {
	topic   bool
	members []messaging.Member
	added   map[string]bool // members shown as null before this document added them
}

// apply reports false if the member addressed is not there.
func (p *patching) apply(op PatchOp) bool {
	at := slices.IndexFunc(p.members, func(m messaging.Member) bool { return m.Name == op.Key })
	stored := at >= 0
	if !stored && op.Op != "add" && !isDefaulted(p.topic, op.Key) {
		return false
	}
	switch {
	case op.Op == "remove":
		if stored && !p.added[op.Key] {
			p.members = slices.Delete(p.members, at, at+1)
		}
		return true
	case op.Op == "add" && shownAsNull(p.topic, op.Key) && (!stored || messaging.FalseLike(p.members[at].Value)):
		p.added[op.Key] = true
	}
	if stored {
		p.members[at].Value = op.Value
	} else {
		p.members = append(p.members, messaging.Member{Name: op.Key, Value: op.Value})
	}
	return true
}
