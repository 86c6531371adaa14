package delivery_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"zaqar/messaging/delivery"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func secret(t *testing.T, text string) delivery.Secret {
	t.Helper()
	key, err := delivery.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Secret{Key: key, Created: noon}
}

// TestSignVector is the one of the Standard Webhooks specification.
func TestSignVector(t *testing.T) {
	s := secret(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	got := delivery.Secrets{s}.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// reference verifies with the library of those who made the scheme.
func reference(t *testing.T, s delivery.Secret, id string, at time.Time, body, signature string) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(s.Text())
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", signature)
	return w.VerifyIgnoringTimestamp([]byte(body), h)
}

func TestSignAsReference(t *testing.T) {
	for i, body := range []string{"", "{}", `{"body":"ü","ttl":60}`, strings.Repeat("x", 70_000)} {
		s := delivery.NewSecret(noon)
		id := fmt.Sprint("m", i)
		signature := delivery.Secrets{s}.Sign(id, noon, []byte(body))
		if err := reference(t, s, id, noon, body, signature); err != nil {
			t.Error(err)
		}
		if reference(t, s, id, noon, body+" ", signature) == nil || reference(t, s, id+"x", noon, body, signature) == nil ||
			reference(t, s, id, noon.Add(time.Second), body, signature) == nil ||
			reference(t, delivery.NewSecret(noon), id, noon, body, signature) == nil {
			t.Error("a signature of something else is right")
		}
	}
}

func TestRotate(t *testing.T) {
	first, second := delivery.NewSecret(noon), delivery.NewSecret(noon.Add(time.Hour))
	all := delivery.Secrets{first}.Rotate(second)
	for _, c := range []struct {
		at         time.Duration
		old, fresh bool
	}{
		{time.Hour, true, true}, {25*time.Hour - 1, true, true}, {25 * time.Hour, false, true}, {1000 * time.Hour, false, true},
	} {
		at := noon.Add(c.at)
		signature := all.Sign("m", at, []byte("b"))
		if got := reference(t, first, "m", at, "b", signature) == nil; got != c.old {
			t.Errorf("after %v the old secret signs: %v", c.at, got)
		}
		if got := reference(t, second, "m", at, "b", signature) == nil; got != c.fresh {
			t.Errorf("after %v the new secret signs: %v", c.at, got)
		}
	}
	if got := all.At(noon.Add(25 * time.Hour)); len(got) != 1 || !cmp.Equal(got[0], second) {
		t.Errorf("in force after a day: %v", got)
	}
	for i := range 10 {
		all = all.Rotate(delivery.NewSecret(noon.Add(time.Duration(i+2) * time.Hour)))
	}
	if len(all) != 4 || !all[0].Expires.IsZero() || !all[1].Expires.Equal(noon.Add(35*time.Hour)) {
		t.Errorf("after many rotations: %d, the last of which expired at %v", len(all), all[1].Expires)
	}
}

func TestSecretsRoundTrip(t *testing.T) {
	all := delivery.Secrets{delivery.NewSecret(noon)}.Rotate(delivery.NewSecret(noon.Add(time.Millisecond)))
	raw := all.Encode()
	again, err := delivery.ParseSecrets(raw)
	if err != nil || !cmp.Equal(all, again) {
		t.Errorf("%s: %v: %s", raw, err, cmp.Diff(all, again))
	}
	if none, err := delivery.ParseSecrets(nil); err != nil || none.Sign("m", noon, nil) != "" {
		t.Errorf("no secrets: %v, %v", none, err)
	}
}

func TestWrongSecrets(t *testing.T) {
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, text := range []string{"", "whsec_", of(23), of(65), of(24)[6:], of(32) + "=", "whsec_" + of(24), of(25)[:38] + "B="} {
		if _, err := delivery.ParseKey(text); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
	for _, n := range []int{24, 64} {
		if key, err := delivery.ParseKey(of(n)); err != nil || len(key) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	const key = "c2VjcmV0IG5vYm9keSBtYXkgc2VlIQ=="
	for _, raw := range []string{"{", "{}", `[{"key":"` + key + `"}]`, `[{"key":"whsec_` + key + `","created":"x"}]`, `[{"key":1}]`} {
		if _, err := delivery.ParseSecrets([]byte(raw)); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	s := delivery.NewSecret(noon)
	for _, format := range []string{"%v", "%+v", "%s", "%#v"} {
		for _, v := range []any{s, &s, delivery.Secrets{s}} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, s.Text()[6:]) || strings.Contains(text, fmt.Sprint(s.Key)) {
				t.Errorf("%s of %T: %s", format, v, text)
			}
		}
	}
}

func BenchmarkSign(b *testing.B) {
	raw := delivery.Secrets{delivery.NewSecret(noon)}.Encode()
	body := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		ss, err := delivery.ParseSecrets(raw)
		if err != nil || ss.Sign("m", noon, body) == "" {
			b.Fatal(err)
		}
	}
}

func FuzzParseSecrets(f *testing.F) {
	f.Add(delivery.Secrets{delivery.NewSecret(noon)}.Encode())
	f.Add([]byte(`[{"key":"whsec_","created":1,"expires":99999999999999999999}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ss, err := delivery.ParseSecrets(raw)
		if err != nil {
			return
		}
		ss.Sign("m", noon, raw)
		if again, err := delivery.ParseSecrets(ss.Encode()); err != nil || !cmp.Equal(ss, again) {
			t.Errorf("%s: %v", raw, err)
		}
	})
}
