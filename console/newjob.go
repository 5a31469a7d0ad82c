package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doris-ccr/ccr/job"
)

// newJobRequest is the body of create_ccr as the form makes it.
type newJobRequest struct {
	Name             string     `json:"name" yaml:"name"`
	Src              newJobSide `json:"src" yaml:"src"`
	Dest             newJobSide `json:"dest" yaml:"dest"`
	Include          []string   `json:"include_tables,omitempty" yaml:"include_tables,omitempty"`
	Exclude          []string   `json:"exclude_tables,omitempty" yaml:"exclude_tables,omitempty"`
	ReplicationNum   *int       `json:"replication_num,omitempty" yaml:"replication_num,omitempty"`
	CommitOrder      string     `json:"commit_order,omitempty" yaml:"commit_order,omitempty"`
	AllowTableExists bool       `json:"allow_table_exists,omitempty" yaml:"allow_table_exists,omitempty"`
	ReuseBinlogLabel bool       `json:"reuse_binlog_label,omitempty" yaml:"reuse_binlog_label,omitempty"`
}

type newJobSide struct {
	Host        string            `json:"host" yaml:"host"`
	Port        string            `json:"port" yaml:"port"`
	ThriftPort  string            `json:"thrift_port" yaml:"thrift_port"`
	User        string            `json:"user" yaml:"user"`
	Password    string            `json:"password" yaml:"-"`
	PasswordEnv string            `json:"-" yaml:"password_env,omitempty"` // only in what is shown
	Database    string            `json:"database" yaml:"database"`
	Table       string            `json:"table" yaml:"table,omitempty"`
	HostMapping map[string]string `json:"host_mapping,omitempty" yaml:"host_mapping,omitempty"`
	TLS         string            `json:"tls,omitempty" yaml:"tls,omitempty"`
	TLSCA       string            `json:"tls_ca,omitempty" yaml:"tls_ca,omitempty"`
}

// newJobData is what the page for a new job shows.
type newJobData struct {
	Form url.Values
	// Missing: the form is not complete, so nothing was checked.
	Missing bool
	Failure string // why the job was not created
	Problem string // why nothing could be checked
	Checks  []job.CheckResult
	Overall job.CheckStatus
	// YAML and Curl are what would be sent, without the passwords.
	YAML, Curl string
	// Sides are the prefixes of the fields.
	Sides []newJobFields
}

// newJobFields are the fields of one side.
type newJobFields struct{ Key, Title string }

// TLSModes are what may be chosen for SQL to a side.
func (d *newJobData) TLSModes() []string { return job.TLSModes() }

// At is a value of the form. Passwords never come back.
func (d *newJobData) At(key string) string { return d.Form.Get(key) }

// newJobPage is the empty form. Nothing of the address fills it in: the form is checked by itself when
// a password is typed, and a link of a stranger would say to which host that goes.
func (s *Console) newJobPage(v *visit) error {
	form := url.Values{}
	for key, usual := range map[string]string{"src.port": "9030", "src.thrift_port": "9020", "dest.port": "9030", "dest.thrift_port": "9020"} {
		form.Set(key, usual)
	}
	return s.showNewJob(v, http.StatusOK, &newJobData{Form: form, Missing: true})
}

func (s *Console) showNewJob(v *visit, status int, d *newJobData) error {
	d.Sides = []newJobFields{{"src", "Source"}, {"dest", "Destination"}}
	if request, err := readNewJob(v, d.Form); err == nil {
		if d.YAML, d.Curl, err = request.shown(); err != nil {
			return err
		}
	}
	return v.page(status, "newjob", v.t("New job"), "new", 0, d)
}

// newJob checks what the form says, or creates the job.
func (s *Console) newJob(v *visit) error {
	form := v.c.Request().PostForm
	d := &newJobData{Form: form}
	request, err := readNewJob(v, form)
	create := form.Get("do") == "create"
	if err != nil && !create {
		d.Problem = err.Error() // beside the form, while somebody fills it in
		return s.showNewJob(v, http.StatusOK, d)
	}
	if err != nil {
		d.Failure, d.Missing = err.Error(), true
		return s.showNewJob(v, http.StatusUnprocessableEntity, d)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if !create {
		s.checkNewJob(v, d, request, body)
		return s.showNewJob(v, http.StatusOK, d)
	}
	switch err := s.Backend.Create(v.c, body); {
	case errors.Is(err, ErrPending):
		return v.page(http.StatusAccepted, "pending", v.t("Recorded"), "jobs", 0, pendingData{Name: request.Name, Text: err.Error()})
	case err != nil:
		d.Failure = err.Error()
		return s.showNewJob(v, http.StatusUnprocessableEntity, d)
	}
	return v.see("console/job?name=" + url.QueryEscape(request.Name))
}

func (s *Console) checkNewJob(v *visit, d *newJobData, request newJobRequest, body []byte) {
	for _, side := range []newJobSide{request.Src, request.Dest} {
		if request.Name == "" || side.Host == "" || side.Port == "" || side.ThriftPort == "" || side.User == "" || side.Database == "" {
			d.Missing = true
			return
		}
	}
	report, err := s.Backend.Check(v.c, body)
	if err != nil {
		d.Problem = err.Error()
		return
	}
	d.Checks, d.Overall = report.Checks, report.Overall()
	// What is wrong comes first.
	rank := func(c job.CheckResult) int {
		return slices.Index([]job.CheckStatus{job.CheckFail, job.CheckWarn, job.CheckPass}, c.Status)
	}
	slices.SortStableFunc(d.Checks, func(a, b job.CheckResult) int { return rank(a) - rank(b) })
}

func readNewJob(v *visit, form url.Values) (newJobRequest, error) {
	at := func(key string) string { return strings.TrimSpace(form.Get(key)) }
	side := func(key string) (newJobSide, error) {
		mapping, err := mappingChange(v, nil, form.Get(key+".host_mapping"))
		if len(mapping) == 0 {
			mapping = nil
		}
		return newJobSide{
			Host: at(key + ".host"), Port: at(key + ".port"), ThriftPort: at(key + ".thrift_port"), User: at(key + ".user"),
			Password: form.Get(key + ".password"), Database: at(key + ".database"), Table: at(key + ".table"), HostMapping: mapping,
			TLS: at(key + ".tls"), TLSCA: at(key + ".tls_ca"),
		}, err
	}
	r := newJobRequest{Name: at("name"), CommitOrder: at("commit_order"), AllowTableExists: at("allow_table_exists") != "", ReuseBinlogLabel: at("reuse_binlog_label") != ""}
	var err, errDest error
	r.Src, err = side("src")
	r.Dest, errDest = side("dest")
	if err = errors.Join(err, errDest); err != nil {
		return r, err
	}
	for _, p := range []struct{ side, name, value string }{
		{"Source", "MySQL port", r.Src.Port}, {"Source", "Thrift port", r.Src.ThriftPort},
		{"Destination", "MySQL port", r.Dest.Port}, {"Destination", "Thrift port", r.Dest.ThriftPort},
	} {
		// Not shown: whoever mixes up lines may have put a password here.
		if n, err := strconv.Atoi(p.value); p.value != "" && (err != nil || n < 1 || n > 65535) {
			return r, fmt.Errorf("%s, %s: %s", v.t(p.side), v.t(p.name), v.t("A port is a number up to 65535"))
		}
	}
	if include := words(at("include")); len(include) > 0 {
		r.Include = include
	}
	if exclude := words(at("exclude")); len(exclude) > 0 {
		r.Exclude = exclude
	}
	if text := at("replication_num"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return r, errors.New(v.t("The number of replicas is a number."))
		}
		r.ReplicationNum = &n
	}
	return r, nil
}

// shown is the request for people: as the file that ccr job apply reads, and as a command line.
func (r newJobRequest) shown() (asYAML, asCurl string, err error) {
	plain := r
	plain.Src.Password, plain.Dest.Password = "...", "..."
	body, err := json.MarshalIndent(plain, "", "  ")
	if err != nil {
		return "", "", err
	}
	// What ends the quotes of a shell is written so that they go on.
	asCurl = "curl -X POST -H 'Content-Type: application/json' \\\n  http://127.0.0.1:9190/create_ccr -d '" + strings.ReplaceAll(string(body), "'", `'\''`) + "'"
	r.Src.PasswordEnv, r.Dest.PasswordEnv = "SRC_PASSWORD", "DEST_PASSWORD"
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(r); err != nil {
		return "", "", err
	}
	return out.String(), asCurl, nil
}
