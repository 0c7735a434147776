package branchkeeper_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	branchkeeper "github.com/branchkeeper/branchkeeper/clients/go"
	pb "github.com/branchkeeper/branchkeeper/clients/go/branchkeeperv1"
)

// service is one service with a data folder of its own.
type service struct {
	t       *testing.T
	folder  string
	target  string
	process *exec.Cmd
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, folder: t.TempDir(), target: freeTarget(t)}
	migrations := map[string]string{
		"20260101000000_Create.sql": "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);",
		"20260102000000_Extend.sql": "ALTER TABLE items ADD COLUMN price INTEGER;",
	}
	must(t, os.Mkdir(filepath.Join(s.folder, "migrations"), 0o755))
	for name, sql := range migrations {
		must(t, os.WriteFile(filepath.Join(s.folder, "migrations", name), []byte(sql), 0o644))
	}
	t.Cleanup(s.stop)
	return s
}

func started(t *testing.T) (*service, *branchkeeper.Client) {
	t.Helper()
	s := newService(t)
	s.start()
	client := connect(t, s.target)
	must(t, client.WaitReady(t.Context(), branchkeeper.MigrationService))
	return s, client
}

func connect(t *testing.T, target string, options ...branchkeeper.Option) *branchkeeper.Client {
	t.Helper()
	client, err := branchkeeper.Connect(target, options...)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (s *service) start(variables ...string) {
	binary := os.Getenv("BRANCHKEEPER_BIN")
	if binary == "" {
		binary, _ = filepath.Abs("../../target/debug/branchkeeper")
	}
	s.process = exec.Command(binary, "serve", "--listen", s.target,
		"--data", filepath.Join(s.folder, "data"), "--migrations", filepath.Join(s.folder, "migrations"))
	s.process.Dir = s.folder
	s.process.Env = append(append(os.Environ(), "BRANCHKEEPER__AUTO_MIGRATE__ENABLED=false"), variables...)
	must(s.t, s.process.Start())
}

func (s *service) stop() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

func (s *service) register(client *branchkeeper.Client, codes ...string) {
	s.t.Helper()
	for _, code := range codes {
		branch := &pb.Branch{Code: code, Provider: pb.Provider_PROVIDER_SQLITE}
		_, err := client.Branches.CreateBranch(context.Background(), &pb.CreateBranchRequest{Branch: branch})
		must(s.t, err)
	}
}

// spoil puts something where the branch's database belongs that no migration can work on.
func (s *service) spoil(code string) {
	file := filepath.Join(s.folder, "data/branches", code, "Database", code+".db")
	must(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(s.t, os.WriteFile(file, []byte("this is no database, however long one looks at it"), 0o644))
}

func fifty() []string {
	var codes []string
	for number := 1; number <= 50; number++ {
		codes = append(codes, fmt.Sprintf("BR%03d", number))
	}
	return codes
}

func freeTarget(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// proxy passes bytes on, and cuts the first connections when the service has sent a number of bytes on them.
type proxy struct {
	target string
	cuts   atomic.Int32
}

func newProxy(t *testing.T, to string, limit int, most int32) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{target: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			var once sync.Once
			cut := func() { once.Do(func() { _, _ = client.Close(), server.Close() }) }
			go func() { defer cut(); _, _ = io.Copy(server, client) }()
			go func() {
				defer cut()
				buffer := make([]byte, 512)
				for passed := 0; ; {
					n, err := server.Read(buffer)
					if n > 0 {
						_, _ = client.Write(buffer[:n])
					}
					passed += n
					if err != nil {
						return
					}
					if passed >= limit && p.cuts.Load() < most {
						p.cuts.Add(1)
						return
					}
				}
			}()
		}
	}()
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
