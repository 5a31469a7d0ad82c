package temporalserver

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

type webUI struct {
	server  *uiserver.Server
	address string
	done    chan struct{}
}

// startUI runs the Web UI and waits until it answers. The UI server ends the
// process when it cannot listen, so the address is tried first.
func startUI(address, frontend, namespace string) (*webUI, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("address of the Web UI: %w (choose another with --ui-listen, or switch the UI off with --ui-listen '')", err)
	}
	bound := l.Addr().(*net.TCPAddr)
	l.Close()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q of the Web UI: %w", address, err)
	}
	ui := &webUI{
		address: net.JoinHostPort(host, strconv.Itoa(bound.Port)),
		done:    make(chan struct{}),
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			TemporalGRPCAddress: frontend,
			Host:                host,
			Port:                bound.Port,
			EnableUI:            true,
			DefaultNamespace:    namespace,
			DisableNewsFetch:    true,
			HideLogs:            true,
			CORS:                uiconfig.CORS{CookieInsecure: true},
		})),
	}
	go func() {
		defer close(ui.done)
		_ = ui.server.Start() // logs by itself; returns nil after Stop
	}()
	deadline := time.Now().Add(startTimeout)
	for {
		resp, err := http.Get("http://" + ui.address + "/healthz")
		if err == nil {
			resp.Body.Close()
			return ui, nil
		}
		if time.Now().After(deadline) {
			ui.stop()
			return nil, fmt.Errorf("the Web UI on %s does not answer: %w", ui.address, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (u *webUI) stop() {
	u.server.Stop()
	<-u.done
}
