package secrets

import (
	"os"
	"testing"

	"zaqar/test/e2e/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, false)) }
