package webhook_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zaqar/messaging/delivery"
)

// sink answers every request with as little effort as there can be.
func sink(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wait sync.WaitGroup
	b.Cleanup(func() { l.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for swallow(in) {
					if _, err := io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
						return
					}
				}
			})
		}
	})
	return "http://" + l.Addr().String() + "/hook"
}

// swallow reads a request.
func swallow(in *bufio.Reader) bool {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false
		}
		if len(line) <= 2 {
			_, err := in.Discard(length)
			return err == nil
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(string(v)))
		}
	}
}

// BenchmarkSend delivers 1 KiB to many subscriptions of one host, signed.
func BenchmarkSend(b *testing.B) {
	to := sink(b)
	s := sender(b, nil)
	d := deliver(b, to, `{}`)
	d.Document = []byte(`"` + strings.Repeat("x", 1022) + `"`)
	d.Subscription.Secrets = delivery.Secrets{delivery.NewSecret(noon)}.Encode()
	b.ReportAllocs()
	b.SetParallelism(32)
	before := cpu(b)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Send(b.Context(), d); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op") // of sender and sink
}

// cpu is what this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
