package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUndoRunsBackwardsOnceWhateverFails(t *testing.T) {
	u := undo{log: slog.New(slog.DiscardHandler)}
	var done []string
	broken := errors.New("broken")
	for _, name := range []string{"one", "two", "three"} {
		u.add(name, time.Second, func(context.Context) error {
			done = append(done, name)
			if name == "two" {
				return broken
			}
			return nil
		})
	}
	for range 2 {
		if err := u.run(); !errors.Is(err, broken) || !strings.Contains(err.Error(), "two: broken") {
			t.Errorf("undo: %v", err)
		}
	}
	if !slices.Equal(done, []string{"three", "two", "one"}) {
		t.Errorf("order %v", done)
	}
}

func TestUndoDoesNotWaitForAStepThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := undo{log: slog.New(slog.DiscardHandler)}
		last := false
		release := make(chan struct{})
		u.add("last", time.Minute, func(context.Context) error { last = true; return nil })
		u.add("hangs", time.Minute, func(context.Context) error { <-release; return nil })
		begun := time.Now()
		err := u.run()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "hangs") || !last {
			t.Errorf("undo: %v, last step run: %v", err, last)
		}
		if took := time.Since(begun); took > 2*time.Minute {
			t.Errorf("took %v", took)
		}
		close(release)
	})
}
