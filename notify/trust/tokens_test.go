package trust

import (
	"context"
	"fmt"
	"testing"
	"time"

	"zaqar/messaging"
)

// Whoever comes late with a token that was not taken does not cost the one that
// has replaced it; and there are never too many entries.
func TestTokensReplaced(t *testing.T) {
	now, asked := time.Unix(0, 0), 0
	k := newTokens(func(context.Context, string) (messaging.Secret, time.Duration, error) {
		asked++
		return messaging.Secret(fmt.Sprint(asked)), time.Minute, nil
	}, func() time.Time { return now })
	get := func(id string) messaging.Secret {
		t.Helper()
		token, _, err := k.get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := get("a")
	k.drop("a", first)
	second := get("a")
	k.drop("a", first)
	if got := get("a"); first == second || got != second {
		t.Errorf("tokens %q, %q, %q", string(first), string(second), string(got))
	}
	for i := range 2 * mostTokens {
		get(fmt.Sprint(i))
	}
	if len(k.entries) > mostTokens {
		t.Errorf("%d entries", len(k.entries))
	}
	now = now.Add(time.Hour)
	get("b")
	if len(k.entries) != 1 {
		t.Errorf("%d entries, of which one counts", len(k.entries))
	}
}
