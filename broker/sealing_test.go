package broker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

const encrypted = `{"_enable_encrypt_messages":true}`

// stored returns what the store holds of a message.
func (w *world) stored(q messaging.QueueRef, id messaging.MessageID) messaging.Message {
	w.Helper()
	found, err := w.store.Fetch(w.ctx(), q, []messaging.MessageID{id})
	if err != nil || len(found) != 1 {
		w.Fatalf("stored message %s: %v, %v", id, found, err)
	}
	return found[0]
}

// plant stores a message as it is.
func (w *world) plant(q messaging.QueueRef, m messaging.Message) messaging.MessageID {
	w.Helper()
	put, err := w.store.Append(w.ctx(), q, "me", []messaging.Draft{{TTL: 3600, Body: m.Body, Key: m.Key, Checksum: m.Checksum}}, storage.AppendOptions{})
	ids := put.IDs
	if err != nil {
		w.Fatal(err)
	}
	return ids[0]
}

func TestSealedBodiesComeBackEverywhere(t *testing.T) {
	sent := []string{`"secret text"`, `null`, `true`, `17`, `1.0`, `[1, 2]`, `{"secret" : "é"}`, `""`}
	want := strings.Join(sent, " ")
	w := newWorld(t, withKeys("k"))
	w.create(q, `{"_enable_encrypt_messages":true,"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	posted := w.post(q, sent...)
	for i, id := range posted {
		m := w.stored(q, id)
		if !strings.HasPrefix(m.Key, "k:") || bytes.Contains(m.Body, []byte(sent[i])) && len(sent[i]) > 4 || bytes.Contains(m.Body, []byte("secret")) {
			t.Errorf("stored under key %q: %q", m.Key, m.Body)
		}
	}
	wantEqual(t, "listed", w.list(q, everything()), want)
	byIDs, err := w.GetMessages(w.ctx(), w.who, q, posted)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "got by ids", bodies(byIDs), want)
	one, _ := w.GetMessage(w.ctx(), w.who, q, posted[6])
	wantEqual(t, "got", bodies(one), sent[6])
	wantEqual(t, "key shown", one.List[0].Key, "")
	view := w.claim(q, 10)
	wantEqual(t, "claimed", bodies(view.Messages), want)
	shown, err := w.ShowClaim(w.ctx(), w.who, q, view.Claim.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "claim shown", bodies(shown.Messages), want)
	w.clock.move(60)
	w.claim(q, 10)
	wantEqual(t, "dead letters", w.list(queue("d"), everything()), want)
	if m := w.stored(queue("d"), posted[0]); m.Key == "" {
		t.Error("a dead letter is stored in plain")
	}
	popped, err := w.PopMessages(w.ctx(), w.who, queue("d"), 10)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "popped", bodies(popped), want)
}

func TestSealingIsDifferentEachTime(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(q, encrypted)
	posted := w.post(q, `"same"`, `"same"`)
	a, b := w.stored(q, posted[0]).Body, w.stored(q, posted[1]).Body
	if bytes.Equal(a, b) || bytes.Equal(a[1:17], b[1:17]) || bytes.Equal(a[17:29], b[17:29]) {
		t.Errorf("one body sealed twice: %x and %x", a, b)
	}
	wantEqual(t, "version", []byte{a[0], b[0]}, []byte{1, 1})
}

func TestTogglingEncryptionKeepsMessagesReadable(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(q, `{}`)
	want := ""
	for i, op := range []string{"", "add _enable_encrypt_messages true", "replace _enable_encrypt_messages false",
		"replace _enable_encrypt_messages true", "remove _enable_encrypt_messages"} {
		if _, err := w.PatchQueue(w.ctx(), w.who, q, ops(op)); err != nil {
			t.Fatal(err)
		}
		id := w.post(q, fmt.Sprint(i))[0]
		want = strings.TrimSpace(want + fmt.Sprint(" ", i))
		wantEqual(t, "listed", w.list(q, everything()), want)
		if sealed := w.stored(q, id).Key != ""; sealed != (i == 1 || i == 3) {
			t.Errorf("message %d is sealed: %v", i, sealed)
		}
	}
	wantEqual(t, "claimed", bodies(w.claim(q, 10).Messages), want)
}

func TestTopicsEncryptToo(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(topic("t"), encrypted)
	id := w.post(topic("t"), `"x"`)[0]
	if w.stored(topic("t"), id).Key == "" {
		t.Error("stored in plain")
	}
	wantEqual(t, "listed", w.list(topic("t"), everything()), `"x"`)
}

func TestKeyRotation(t *testing.T) {
	w := newWorld(t, withKeys("old"))
	w.create(q, encrypted)
	w.post(q, "1")
	if err := w.Reconfigure(config(withKeys("new", "old"))); err != nil {
		t.Fatal(err)
	}
	id := w.post(q, "2")[0]
	if key := w.stored(q, id).Key; !strings.HasPrefix(key, "new:") {
		t.Errorf("sealed with %q after the rotation", key)
	}
	wantEqual(t, "listed", w.list(q, everything()), "1 2")
	popped, err := w.PopMessages(w.ctx(), w.who, q, 2)
	if err != nil || bodies(popped) != "1 2" {
		t.Errorf("popped %s (%v)", bodies(popped), err)
	}
}

func TestMissingKey(t *testing.T) {
	for name, lost := range map[string]func(*broker.Config){
		"no keys":          withKeys(),
		"another key":      withKeys("other"),
		"mistyped secret":  func(c *broker.Config) { c.Keys = []broker.Key{{ID: "k", Secret: secret("typo")}} },
		"not the first id": withKeys("K"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withKeys("k"))
			w.create(q, encrypted)
			shut := w.post(q, "1", "2", "3")
			if _, err := w.PatchQueue(w.ctx(), w.who, q, ops("remove _enable_encrypt_messages")); err != nil {
				t.Fatal(err)
			}
			if err := w.Reconfigure(config(lost)); err != nil {
				t.Fatal(err)
			}

			_, err := w.GetMessage(w.ctx(), w.who, q, shut[0])
			wantKind(t, err, messaging.Unavailable, "get")
			wantText(t, err, "key")
			_, err = w.GetMessages(w.ctx(), w.who, q, shut[:2])
			wantKind(t, err, messaging.Unavailable, "get by ids of sealed ones only")
			_, err = w.ListMessages(w.ctx(), w.who, q, everything())
			wantKind(t, err, messaging.Unavailable, "list of sealed ones only")
			popped, err := w.PopMessages(w.ctx(), w.who, q, 5)
			if err != nil || len(popped.List) != 0 {
				t.Errorf("popped %d (%v)", len(popped.List), err)
			}

			open := w.post(q, "4", "5")
			got, err := w.GetMessages(w.ctx(), w.who, q, []messaging.MessageID{shut[0], open[1], shut[1], open[0]})
			if err != nil || bodies(got) != "5 4" {
				t.Errorf("get by ids: %s (%v)", bodies(got), err)
			}
			w.log.Reset()
			wantEqual(t, "a page is filled behind sealed ones", w.list(q, broker.ListMessages{Echo: true, Limit: ptr(1)}), "4")
			wantEqual(t, "listed", w.list(q, everything()), "4 5")
			for _, word := range []string{"level=ERROR", "cannot be decrypted", "project=p", "queue=q", "count=3", "unknown key", string(shut[0])} {
				if !strings.Contains(w.log.String(), word) {
					t.Errorf("the log does not say %q:\n%s", word, w.log)
				}
			}
			popped, err = w.PopMessages(w.ctx(), w.who, q, 1)
			if err != nil || bodies(popped) != "4" {
				t.Errorf("popped %s (%v)", bodies(popped), err)
			}
			wantEqual(t, "claimed behind sealed ones", bodies(w.claim(q, 1).Messages), "5")

			if err := w.Reconfigure(config(withKeys("other", "k"))); err != nil {
				t.Fatal(err)
			}
			wantEqual(t, "listed with the key", w.list(q, everything()), "1 2 3 5")
			w.clock.move(60)
			wantEqual(t, "claimed with the key", bodies(w.claim(q, 10).Messages), "1 2 3 5")
		})
	}
}

func TestClaimOfSealedMessagesOnly(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(q, encrypted)
	w.post(q, "1", "2", "3")
	if err := w.Reconfigure(config(withKeys("other"))); err != nil {
		t.Fatal(err)
	}
	_, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{Limit: ptr(1), TTL: ptr[int64](60)})
	wantKind(t, err, messaging.Unavailable, "claim")
	wantEqual(t, "stands aside", bodies(w.claim(q, 5).Messages), "")
	if err := w.Reconfigure(config(withKeys("k"))); err != nil {
		t.Fatal(err)
	}
	w.clock.move(60)
	wantEqual(t, "claimed with the key", bodies(w.claim(q, 5).Messages), "1 2 3")
}

func TestClaimShowLeavesOutWhatCannotBeOpened(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(q, encrypted)
	w.post(q, "1")
	if err := w.Reconfigure(config(withKeys("other", "k"))); err != nil {
		t.Fatal(err)
	}
	w.post(q, "2")
	id := w.claim(q, 2).Claim.ID
	if err := w.Reconfigure(config(withKeys("k"))); err != nil {
		t.Fatal(err)
	}
	view, err := w.ShowClaim(w.ctx(), w.who, q, id)
	if err != nil || bodies(view.Messages) != "1" {
		t.Errorf("shown %s (%v)", bodies(view.Messages), err)
	}
	if err := w.Reconfigure(config()); err != nil {
		t.Fatal(err)
	}
	_, err = w.ShowClaim(w.ctx(), w.who, q, id)
	wantKind(t, err, messaging.Unavailable, "claim of sealed ones only")
}

func TestSealedBodiesCannotBeTransplanted(t *testing.T) {
	w := newWorld(t, withKeys("k", "l"), func(c *broker.Config) { c.Checksums = true })
	w.create(q, encrypted)
	posted := w.post(q, `"mine"`, `"other"`)
	m, other := w.stored(q, posted[0]), w.stored(q, posted[1])
	if err := w.Reconfigure(config(withKeys("l", "k"))); err != nil {
		t.Fatal(err)
	}
	lKey := w.stored(q, w.post(q, "1")[0]).Key

	moved := w.plant(queue("elsewhere"), m)
	got, err := w.GetMessage(w.ctx(), w.who, queue("elsewhere"), moved)
	if err != nil || bodies(got) != `"mine"` {
		t.Errorf("within the project: %s (%v)", bodies(got), err)
	}

	thief := w.who
	thief.Project = "p2"
	theirs := messaging.QueueRef{Project: "p2", Name: "q"}
	_, err = w.GetMessage(w.ctx(), thief, theirs, w.plant(theirs, m))
	wantKind(t, err, messaging.Unavailable, "in another project")

	for name, change := range map[string]func(*messaging.Message){
		"another checksum": func(m *messaging.Message) { m.Checksum = other.Checksum },
		"no checksum":      func(m *messaging.Message) { m.Checksum = "" },
		"another key":      func(m *messaging.Message) { m.Key = lKey },
		"unknown version":  func(m *messaging.Message) { m.Body = append([]byte{2}, m.Body[1:]...) },
		"cut":              func(m *messaging.Message) { m.Body = m.Body[:len(m.Body)-1] },
		"cut to the head":  func(m *messaging.Message) { m.Body = m.Body[:29] },
		"empty":            func(m *messaging.Message) { m.Body = nil },
		"longer":           func(m *messaging.Message) { m.Body = append(bytes.Clone(m.Body), 0) },
		"plain":            func(m *messaging.Message) { m.Body = []byte(`"mine"`) },
	} {
		changed := m
		change(&changed)
		_, err := w.GetMessage(w.ctx(), w.who, q, w.plant(q, changed))
		wantKind(t, err, messaging.Unavailable, "%s", name)
	}
	for i := range m.Body {
		changed := m
		changed.Body = bytes.Clone(m.Body)
		changed.Body[i] ^= 0x10
		_, err := w.GetMessage(w.ctx(), w.who, q, w.plant(q, changed))
		wantKind(t, err, messaging.Unavailable, "byte %d changed", i)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, "")
	f.Add([]byte{1}, "MD5:42b7b4f2921788ea14dac5566e6f06d0")
	f.Add(bytes.Repeat([]byte{1}, 45), "")
	f.Add(bytes.Repeat([]byte{1}, 200), "x")
	f.Fuzz(func(t *testing.T, body []byte, sum string) {
		w := newWorld(t, withKeys("k"))
		w.create(q, encrypted)
		key := w.stored(q, w.post(q, "1")[0]).Key
		id := w.plant(q, messaging.Message{Body: body, Key: key, Checksum: sum})
		_, err := w.GetMessage(w.ctx(), w.who, q, id)
		wantKind(t, err, messaging.Unavailable, "foreign sealed body")
		wantEqual(t, "listed", w.list(q, everything()), "1")
	})
}

func BenchmarkPostAndGet(b *testing.B) {
	body := []byte(`"` + strings.Repeat("x", 1022) + `"`)
	for _, metadata := range []string{`{}`, encrypted} {
		b.Run(metadata, func(b *testing.B) {
			w := newWorld(b, withKeys("k"))
			w.create(q, metadata)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				ids, err := w.PostMessages(w.ctx(), w.who, q, []broker.Post{{Body: body}})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := w.GetMessage(w.ctx(), w.who, q, ids[0]); err != nil {
					b.Fatal(err)
				}
				if err := w.store.Remove(w.ctx(), q, ids, storage.Hold{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
