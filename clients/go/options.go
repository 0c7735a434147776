package branchkeeper

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Option changes how Connect speaks with the service.
type Option func(*options)

type options struct {
	address            string
	tls                bool
	caFile             string
	certFile, keyFile  string
	token              *token
	allowInsecureToken bool
	deadline           time.Duration
	runDeadline        time.Duration
	keepalive          time.Duration
}

// WithCAFile trusts the authorities of a PEM file. Default: those of the system.
func WithCAFile(file string) Option { return func(o *options) { o.caFile = file } }

// WithCertificate shows a certificate of the client's own, from PEM files. Default: none.
func WithCertificate(certFile, keyFile string) Option {
	return func(o *options) { o.certFile, o.keyFile = certFile, keyFile }
}

// WithToken sends a token with every call. Default: none.
func WithToken(text string) Option {
	return func(o *options) { o.token = &token{text: strings.TrimSpace(text)} }
}

// WithTokenFile sends the token of a file with every call; it is read again when it has changed. Default: none.
func WithTokenFile(file string) Option { return func(o *options) { o.token = &token{file: file} } }

// AllowInsecureToken sends the token to other machines without TLS. Default: Connect refuses.
func AllowInsecureToken() Option { return func(o *options) { o.allowInsecureToken = true } }

// WithDeadline limits calls whose context has no deadline, retries included. Default: 60 s.
func WithDeadline(limit time.Duration) Option { return func(o *options) { o.deadline = limit } }

// WithRunDeadline is as WithDeadline, for calls that answer when a run is over. Default: 30 min.
func WithRunDeadline(limit time.Duration) Option { return func(o *options) { o.runDeadline = limit } }

// WithKeepalive sets the silence after which a connection in use is asked for a sign of life; 0 for never. Default: 30 s;
// gRPC takes no less than 10 s.
func WithKeepalive(interval time.Duration) Option { return func(o *options) { o.keepalive = interval } }

// check reads the target and says what does not go together. It repeats nothing: it may be secret.
func (o *options) check(target string) error {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	at, err := url.Parse(target)
	if err != nil || at.Hostname() == "" || (at.Scheme != "http" && at.Scheme != "https") || at.User != nil ||
		(at.Path != "" && at.Path != "/") || at.RawQuery != "" || at.Fragment != "" {
		return errors.New("the target is not an address; write it like https://keeper.example:50051")
	}
	port := at.Port()
	if port == "" {
		port = strconv.Itoa(defaultPort)
	}
	o.address, o.tls = net.JoinHostPort(at.Hostname(), port), at.Scheme == "https"
	switch {
	case !o.tls && (o.caFile != "" || o.certFile != "" || o.keyFile != ""):
		return errors.New("certificates need TLS; begin the target with https://")
	case (o.certFile == "") != (o.keyFile == ""):
		return errors.New("certificate and key belong together; give both or neither")
	case o.token != nil && !o.tls && !o.allowInsecureToken && !isThisMachine(at.Hostname()):
		return errors.New("a token would be sent in the clear; use https://, or AllowInsecureToken if the network is safe")
	case o.deadline <= 0 || o.runDeadline <= 0:
		return errors.New("deadlines have to be above 0")
	}
	return nil
}

func isThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (o *options) credentials() (credentials.TransportCredentials, error) {
	if !o.tls {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in the CA file %s", o.caFile)
		}
	}
	if o.certFile != "" {
		own, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, fmt.Errorf("cannot use the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(config), nil
}

// token is what every call carries.
type token struct {
	mutex    sync.Mutex
	text     string
	file     string
	modified time.Time
	size     int64
}

func (t *token) current() (string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.file == "" {
		return t.text, nil
	}
	found, err := os.Stat(t.file)
	if err != nil {
		return "", fmt.Errorf("cannot read the token file: %w", err)
	}
	if t.text == "" || !found.ModTime().Equal(t.modified) || found.Size() != t.size {
		text, err := os.ReadFile(t.file)
		if err != nil {
			return "", fmt.Errorf("cannot read the token file: %w", err)
		}
		t.text, t.modified, t.size = strings.TrimSpace(string(text)), found.ModTime(), found.Size()
	}
	return t.text, nil
}
