package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"zaqar/notify"
)

// command is a program with arguments that takes a mail on its standard input.
type command []string

// afterwards is how long what a program started may keep its standard error
// open after the program has ended.
const afterwards = 2 * time.Second

// take implements transport.
func (c command) take(ctx context.Context, m *message) error {
	cmd := exec.CommandContext(ctx, c[0], c[1:]...)
	said := new(head)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(m.text), said
	cmd.Dir = "/"
	cmd.WaitDelay = afterwards
	ownGroup(cmd)
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return failure("the mail command was stopped", context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it has taken the mail, whatever it has started
	}
	f := failure("the mail command", err)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		f.Err = fmt.Errorf("the mail command: %w: %s", err, said)
		if slices.Contains(final(), ended.ExitCode()) {
			f.Verdict, f.What = notify.GiveUp, "The mail was refused."
		}
	}
	return f
}

// final are the exit statuses of sysexits.h that say that the mail itself is
// the reason: EX_DATAERR, EX_NOUSER, EX_NOHOST. The others may be about
// anything, and scripts use 1 for all.
func final() []int { return []int{65, 67, 68} }

// head keeps the beginning of what is written to it.
type head struct{ text []byte }

const mostSaid = 2 << 10

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), mostSaid-len(h.text))]...)
	return len(p), nil
}

// String is the text without surrounding blanks.
func (h *head) String() string {
	return string(bytes.ToValidUTF8(bytes.TrimSpace(h.text), []byte("?")))
}
