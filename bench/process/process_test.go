package process_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"zaqar/bench/process"
)

// TestMain lets the test program be the server that a test starts.
func TestMain(m *testing.M) {
	if role := os.Getenv("BENCH_TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

func play(role string) int {
	if role == "parent" {
		return parent()
	}
	if role == "fail" {
		fmt.Println("the disk is on fire")
		return 3
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	if role == "serve" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 1
		}
		fmt.Println("msg=listening address=http://" + l.Addr().String() + " version=1")
		go http.Serve(l, http.NotFoundHandler())
	}
	<-stop
	return 0
}

func command(t *testing.T, role string) process.Command {
	c, err := selfAs(role, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// selfAs starts the test program in a role.
func selfAs(role, dir string) (process.Command, error) {
	self, err := os.Executable()
	return process.Command{
		Name: role, Args: []string{self}, Env: []string{"BENCH_TEST_ROLE=" + role},
		Log: filepath.Join(dir, "log"), Patience: time.Minute,
	}, err
}

// parent starts a server, tells its address and waits to be killed.
func parent() int {
	c, err := selfAs("serve", os.TempDir())
	if err != nil {
		return 1
	}
	p, err := process.Start(context.Background(), c)
	if err != nil {
		return 1
	}
	fmt.Println(p.Addr)
	select {}
}

func TestStartAndStop(t *testing.T) {
	p, err := process.Start(t.Context(), command(t, "serve"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Took <= 0 {
		t.Errorf("it took %v", p.Took)
	}
	r, err := http.Get("http://" + p.Addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if u := p.Usage(); runtime.GOOS == "linux" && (u.Resident == 0 || u.Private == 0 || u.Private > u.Resident) {
		t.Errorf("usage %+v", u)
	}
	for range 2 {
		if err := p.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	if _, err := net.Dial("tcp", p.Addr); err == nil {
		t.Error("it still listens")
	}
}

func TestEnded(t *testing.T) {
	p, err := process.Start(t.Context(), command(t, "serve"))
	if err != nil {
		t.Fatal(err)
	}
	if end := p.Ended(); end != nil {
		t.Errorf("it runs, and is said to have ended: %v", end)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if end := p.Ended(); end == nil || !strings.Contains(end.Error(), "msg=listening") {
		t.Errorf("got %v, want what it logged", end)
	}
}

// Of a server that has ended by itself no log is shown twice.
func TestStopAfterTheEnd(t *testing.T) {
	for _, asked := range []bool{false, true} {
		p, err := process.Start(t.Context(), command(t, "serve"))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(p.Pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for asked && p.Ended() == nil {
			if t.Context().Err() != nil {
				t.Fatal("it does not end")
			}
		}
		if err := p.Stop(); (err == nil) != asked {
			t.Errorf("told before: %t; got %v", asked, err)
		}
	}
}

func TestUsageAddsUp(t *testing.T) {
	a := process.Usage{CPU: 1, Resident: 2, Private: 3, Written: 4}
	if got := a.Plus(a); got != (process.Usage{CPU: 2, Resident: 4, Private: 6, Written: 8}) {
		t.Errorf("got %+v", got)
	}
}

func TestStartTellsWhyNot(t *testing.T) {
	_, err := process.Start(t.Context(), command(t, "fail"))
	if err == nil || strings.Count(err.Error(), "the disk is on fire") != 1 {
		t.Errorf("got %v, want what it logged, once", err)
	}
}

func TestStartGivesUp(t *testing.T) {
	c := command(t, "silent")
	c.Patience = 0
	if _, err := process.Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("got %v", err)
	}
}
