package apiserver

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// changing is a server with one job, whose log is kept.
func changing(t *testing.T) (*fakeTemporal, *fakeJob, *Server, *bytes.Buffer) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.spec.Source = job.Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020, User: "root", Password: "ccr1:k:old", Database: "d"}
		j.spec.Destination = job.Cluster{Host: "fe2", Port: 9030, ThriftPort: 9020, User: "root", Password: "ccr1:k:old", Database: "d"}
	})
	log := &bytes.Buffer{}
	return f, j, newServer(t, f, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) }), log
}

const newLogins = `{"name":"j1","src":{"user":"ccr"},"dest":{"user":"ccr","password":"s3cret"}}`

// New logins are tried with all that stays, then the job is told, with the password
// sealed.
func TestUpdateCredentials(t *testing.T) {
	f, j, s, log := changing(t)
	require.Equal(t, `{"success":true}`, ask(s, "/update_credentials", newLogins).Body.String())

	require.Len(t, f.changes, 1)
	check := f.changes[0]
	require.True(t, check.Source && check.Destination)
	require.Equal(t, "ccr", check.Spec.Source.User)
	require.EqualValues(t, "ccr1:k:old", check.Spec.Source.Password, "what is not named stays")
	require.Equal(t, "fe2", check.Spec.Destination.Host)
	plain, err := s.keyring.Open(check.Spec.Destination.Password)
	require.NoError(t, err)
	require.Equal(t, "s3cret", plain)

	require.Len(t, j.signals, 1)
	sent := j.signals[0]
	require.Equal(t, job.SignalUpdateCredentials, sent.name)
	require.Equal(t, "192.0.2.1:1234", sent.cmd.By)
	require.Equal(t, &job.ClusterChange{User: "ccr"}, sent.cmd.Src)
	require.Equal(t, check.Spec.Destination.Password, *sent.cmd.Dest.Password)
	require.Contains(t, log.String(), `msg="command carried out" job=j1 command=update_credentials by=192.0.2.1:1234`)
	require.NotContains(t, log.String(), "s3cret")
	require.NotContains(t, log.String(), "ccr1:")
}

// One side, one key is enough; an empty password is one, too.
func TestUpdateCredentialsOfOneSide(t *testing.T) {
	f, j, s, _ := changing(t)
	require.Equal(t, http.StatusNoContent, askBy(s, "PATCH", "/jobs/j1/credentials", `{"dest":{"password":""}}`).Code)
	require.False(t, f.changes[0].Source)
	require.True(t, f.changes[0].Destination)
	require.Empty(t, f.changes[0].Spec.Destination.Password)
	require.Nil(t, j.signals[0].cmd.Src)
	require.Empty(t, *j.signals[0].cmd.Dest.Password)
	require.Empty(t, j.signals[0].cmd.Dest.User)
}

// A login that the cluster refuses changes nothing, unless it is forced.
func TestUpdateCredentialsThatDoNotWork(t *testing.T) {
	f, j, s, log := changing(t)
	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Refused: "destination cluster fe2:9030: Access denied (correct dest.user and dest.password)"}, nil
	}
	want := `[normal] the job could not go on: destination cluster fe2:9030: Access denied (correct dest.user and dest.password) (nothing is changed; with \"force\": true the job is told all the same)`
	require.Equal(t, `{"success":false,"error_msg":"`+want+`"}`, ask(s, "/update_credentials", newLogins).Body.String())
	requireProblem(t, askBy(s, "PATCH", "/jobs/j1/credentials", `{"src":{"user":"ccr"}}`), http.StatusUnprocessableEntity, "Access denied")
	require.Contains(t, log.String(), `msg="command failed" job=j1 command=update_credentials`)

	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{}, errors.New("no route to host")
	}
	require.Contains(t, ask(s, "/update_credentials", newLogins).Body.String(), "whether the job could go on is not known: the checks did not end: no route to host")
	require.Empty(t, j.signals, "the job has heard of nothing")

	checks := len(f.changes)
	require.Equal(t, `{"success":true}`, ask(s, "/update_credentials", strings.Replace(newLogins, "{", `{"force":true,`, 1)).Body.String())
	require.Len(t, f.changes, checks, "it is not tried")
	require.Len(t, j.signals, 1)
}

func TestUpdateCredentialsThatSayNothing(t *testing.T) {
	f, j, s, _ := changing(t)
	for body, want := range map[string]string{
		`{"src":{"user":"ccr"}}`:                          errNameEmpty.Error(),
		`{"name":"j1"}`:                                   job.ErrNoCredentials.Error(),
		`{"name":"j1","src":{},"dest":{"user":""}}`:       job.ErrNoCredentials.Error(),
		`{"name":"j2","src":{"user":"ccr"}}`:              "job j2 not exist",
		`{"name":"no such","src":{"user":"ccr"}}`:         "job no such not exist",
		`{"name":"j2","src":{"user":"ccr"},"force":true}`: "job j2 not exist",
	} {
		require.Equal(t, `{"success":false,"error_msg":"`+want+`"}`, ask(s, "/update_credentials", body).Body.String(), body)
	}
	require.Equal(t, http.StatusNotFound, askBy(s, "PATCH", "/jobs/j2/credentials", `{"src":{"user":"ccr"}}`).Code)
	require.Equal(t, http.StatusBadRequest, askBy(s, "PATCH", "/jobs/j1/credentials", `{"src":{"pasword":"s3cret"}}`).Code, "a misspelt key")
	require.Empty(t, f.changes)
	require.Empty(t, j.signals)
}
