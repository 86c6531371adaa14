package mail_test

import (
	"testing"

	"zaqar/messaging/delivery"
	"zaqar/notify/mail"
)

// BenchmarkCompose is what a mail costs before anybody takes it.
func BenchmarkCompose(b *testing.B) {
	body := []byte(document)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mail.Compose("mailto:ops@example.org", "Bus <bus@example.org>", "new work", body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommand is a process per mail, of a program that does nothing.
func BenchmarkCommand(b *testing.B) {
	s, err := mail.New(mail.Config{Command: []string{"/bin/true"}, Confirmation: fakeConfirmation})
	if err != nil {
		b.Fatal(err)
	}
	d := to("mailto:ops@example.org", delivery.Options{})
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Send(b.Context(), d); err != nil {
				b.Error(err)
			}
		}
	})
}
