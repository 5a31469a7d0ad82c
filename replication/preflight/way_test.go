package preflight

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

// The way of the rows counts as open or closed only where that is known;
// otherwise a person is told what to run, and where.
func TestCheckWay(t *testing.T) {
	known := func(hosts ...string) *clusterFacts {
		facts := &clusterFacts{reached: true}
		for i, host := range hosts {
			facts.backends = append(facts.backends, meta.Backend{ID: int64(i), Host: host, HTTPPort: 8041, Port: 9061, Alive: true})
		}
		return facts
	}
	silent := known("127.0.0.2")
	silent.reached = false
	dead := known("192.0.2.1", "192.0.2.2")
	dead.backends[1].Alive = false
	tests := map[string]struct {
		source, destination *clusterFacts
		want                job.CheckStatus
		detail, remedy      string
		hidden              string
	}{
		"one machine":            {known("127.0.0.2"), known("127.0.0.3"), job.CheckPass, "reaches 127.0.0.2:8041", "", ""},
		"destination here":       {known("192.0.2.1"), known("127.0.0.3", "localhost"), job.CheckPass, "reaches 192.0.2.1:8041", "", ""},
		"at this machine's IP":   {known("192.0.2.1"), known("203.0.113.5"), job.CheckPass, "reaches 192.0.2.1:8041", "", ""},
		"here, but not reached":  {silent, known("127.0.0.3"), job.CheckWarn, "not tried", "for be in 127.0.0.2:8041;", ""},
		"one cluster":            {known("192.0.2.1", "192.0.2.2"), known("192.0.2.2"), job.CheckPass, "both sides have the same backends", "", ""},
		"source known as itself": {known("127.0.0.1"), known("192.0.2.1"), job.CheckFail, "127.0.0.1", "src.host_mapping", ""},
		"two networks":           {known("192.0.2.1", "192.0.2.2"), known("198.51.100.7"), job.CheckWarn, "have to reach 192.0.2.1:8041, 192.0.2.2:8041; only they", "run on each of 198.51.100.7: for be in 192.0.2.1:8041 192.0.2.2:8041; do curl", "names"},
		"names":                  {known("be1.example"), known("198.51.100.7"), job.CheckWarn, "be1.example:8041, and know these names", "http://$be/api/show_config", ""},
		"nobody asks a dead one": {dead, known("198.51.100.7"), job.CheckWarn, "192.0.2.1:8041", "for be in 192.0.2.1:8041;", "192.0.2.2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &setup{}
			s.checkWay(tt.source, tt.destination, hosts{&net.IPNet{IP: net.IPv4(203, 0, 113, 5)}})
			require.Len(t, s.report.Checks, 1, "one line")
			got := s.report.Checks[0]
			require.Equal(t, tt.want, got.Status, got)
			require.Contains(t, got.Detail, tt.detail)
			require.Contains(t, got.Remedy, tt.remedy)
			if tt.hidden != "" {
				require.NotContains(t, got.Detail+got.Remedy, tt.hidden)
			}
		})
	}

	s := &setup{}
	s.checkWay(known("192.0.2.1"), known(), nil)
	require.Empty(t, s.report.Checks, "that no backend lives is told elsewhere")
}
