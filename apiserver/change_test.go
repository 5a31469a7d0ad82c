package apiserver

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
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
	return f, j, newServer(t, f, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}), log
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

const newHosts = `{"name":"j1","src":{"host":"fe9","port":"9031"},"dest":{"thrift_port":9021}}`

// Other addresses are looked at with those of before; the job is told them together with
// the frontends that the clusters have named.
func TestUpdateHosts(t *testing.T) {
	f, j, s, log := changing(t)
	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Source: []meta.Frontend{{Host: "fe9", Port: 9031, ThriftPort: 9020, IsMaster: true}}}, nil
	}
	require.Equal(t, `{"success":true}`, ask(s, "/update_hosts", newHosts).Body.String())
	check := f.changes[0]
	require.True(t, check.Source && check.Destination && check.Moved())
	require.Equal(t, "fe9", check.Spec.Source.Host)
	require.Equal(t, 9031, check.Spec.Source.Port)
	require.Equal(t, 9020, check.Spec.Source.ThriftPort, "what is not named stays")
	require.Equal(t, "fe1", check.SourceWas.Host)
	require.Equal(t, 9021, check.Spec.Destination.ThriftPort)
	require.Equal(t, 9020, check.DestinationWas.ThriftPort)
	sent := j.signals[0]
	require.Equal(t, job.SignalUpdateHosts, sent.name)
	require.Equal(t, &job.ClusterChange{Host: "fe9", Port: 9031, Frontends: []meta.Frontend{{Host: "fe9", Port: 9031, ThriftPort: 9020, IsMaster: true}}}, sent.cmd.Src)
	require.Equal(t, &job.ClusterChange{ThriftPort: 9021}, sent.cmd.Dest)
	require.Contains(t, log.String(), `msg="command carried out" job=j1 command=update_hosts`)

	require.Equal(t, http.StatusNoContent, askBy(s, "PATCH", "/jobs/j1/hosts", `{"src":{"host":"fe8"}}`).Code)
	require.Nil(t, f.changes[1].DestinationWas)
	require.False(t, f.changes[1].Destination)
}

// Another cluster is refused, forced or not; one that cannot be asked unless it is
// forced.
func TestUpdateHostsThatDoNotWork(t *testing.T) {
	f, j, s, _ := changing(t)
	forced := strings.Replace(newHosts, "{", `{"force":true,`, 1)
	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Refused: "fe9:9031 is another cluster than the source of the job", Another: true}, nil
	}
	for _, body := range []string{newHosts, forced} {
		require.Equal(t, `{"success":false,"error_msg":"[normal] the job could not go on: fe9:9031 is another cluster than the source of the job (nothing is changed)"}`,
			ask(s, "/update_hosts", body).Body.String())
	}
	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Refused: "connection refused"}, nil
	}
	require.Contains(t, ask(s, "/update_hosts", newHosts).Body.String(), "connection refused (nothing is changed")
	require.Empty(t, j.signals)
	require.Equal(t, `{"success":true}`, ask(s, "/update_hosts", forced).Body.String())
	require.Len(t, j.signals, 1)
	require.Empty(t, j.signals[0].cmd.Src.Frontends)
}

// A new address may tell that two jobs write to the same tables.
func TestUpdateHostsToTheDestinationOfAnotherJob(t *testing.T) {
	f, j, s, _ := changing(t)
	f.add("j2", func(j *fakeJob) {
		j.spec.Destination = job.Cluster{Host: "fe7", Port: 9030, ThriftPort: 9020, Database: "d"}
	})
	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Destination: []meta.Frontend{{Host: "fe9", ThriftPort: 9020}, {Host: "fe7", ThriftPort: 9020}}}, nil
	}
	require.Contains(t, ask(s, "/update_hosts", `{"name":"j1","dest":{"host":"fe9"}}`).Body.String(), "these jobs write to d on the same cluster: j2")
	require.Empty(t, j.signals)
	require.Equal(t, `{"success":true}`, ask(s, "/update_hosts", `{"name":"j1","src":{"host":"fe9"}}`).Body.String(), "the source is nobody's")
}

func TestUpdateHostsThatSayNothing(t *testing.T) {
	f, j, s, _ := changing(t)
	for body, want := range map[string]string{
		`{"name":"j1"}`:                                      job.ErrNoHosts.Error(),
		`{"name":"j1","src":{}}`:                             job.ErrNoHosts.Error(),
		`{"name":"j1","src":{"host":"fe9:9030"}}`:            `[normal] src: host \"fe9:9030\" is no address: a host name or an IP address, without port`,
		`{"name":"j1","dest":{"port":"70000"}}`:              "[normal] dest: port is invalid: 70000",
		`{"name":"j2","src":{"host":"fe9"}}`:                 "job j2 not exist",
		`{"name":"j2","src":{"host":"fe9"},"force":true}`:    "job j2 not exist",
		`{"name":"no such","src":{"host":"x"},"force":true}`: "job no such not exist",
	} {
		require.Equal(t, `{"success":false,"error_msg":"`+want+`"}`, ask(s, "/update_hosts", body).Body.String(), body)
	}
	require.Empty(t, f.changes)
	require.Empty(t, j.signals)
}

// More replicas are asked for where they are to be; the rest is the job's to say.
func TestUpdateOptions(t *testing.T) {
	f, j, s, _ := changing(t)
	require.Equal(t, `{"success":true}`, ask(s, "/update_options", `{"name":"j1","commit_order":"per_table"}`).Body.String())
	require.Equal(t, http.StatusNoContent, askBy(s, "PATCH", "/jobs/j1/options", `{"replication_num":-1}`).Code)
	require.Empty(t, f.changes, "nothing to ask a cluster for")
	require.Equal(t, `{"success":true}`, ask(s, "/update_options", `{"name":"j1","replication_num":2}`).Body.String())
	require.True(t, f.changes[0].Replicas && f.changes[0].Destination && !f.changes[0].Source)
	require.Equal(t, 2, f.changes[0].Spec.ReplicationNum)
	require.Len(t, j.signals, 3)
	require.Equal(t, job.CommitOrderPerTable, j.signals[0].cmd.CommitOrder)
	require.Nil(t, j.signals[0].cmd.ReplicationNum)
	require.Equal(t, 2, *j.signals[2].cmd.ReplicationNum)

	f.onCheck = func(job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Refused: "replication_num 9 is more than the destination's 3 available backends"}, nil
	}
	for body, want := range map[string]string{
		`{"name":"j1"}`:                         job.ErrNoOptions.Error(),
		`{"name":"j1","commit_order":"random"}`: `[normal] commit_order \"random\" is neither \"global\" nor \"per_table\"`,
		`{"name":"j1","replication_num":0}`:     "[normal] replication_num 0 is neither -1 nor more than 0",
		`{"name":"j1","replication_num":9}`:     "[normal] the job could not go on: replication_num 9 is more than the destination's 3 available backends (nothing is changed)",
		`{"name":"j2","commit_order":"global"}`: "job j2 not exist",
	} {
		require.Equal(t, `{"success":false,"error_msg":"`+want+`"}`, ask(s, "/update_options", body).Body.String(), body)
	}
	require.Len(t, j.signals, 3)
}
