package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
)

// action is something that a person can order for a job. Each has a page that says what will happen, and asks.
type action struct {
	Name  string
	Role  access.Role
	Label string // of the button that leads to the page
	Title string // the question; %s is the job
	// Group is the part of the menu.
	Group string
	// Danger: it takes something away.
	Danger bool
	// Says are the consequences.
	Says []string
	// Fields is the template of its fields, "" if it has none.
	Fields string
	// offered tells whether it makes sense for the job as it is, nil always.
	offered func(Job) bool
	do      func(s *Console, v *visit, name string, form url.Values) error
}

// order is the do of an action without fields.
func order(signal string) func(*Console, *visit, string, url.Values) error {
	return func(s *Console, v *visit, name string, _ url.Values) error { return s.Backend.Order(v.c, name, signal) }
}

// steer is the do of an action about the verification that runs.
func steer(signal string) func(*Console, *visit, string, url.Values) error {
	return func(s *Console, v *visit, name string, _ url.Values) error {
		return s.Backend.SteerVerification(v.c, name, signal)
	}
}

const (
	groupRun    = "Run"
	groupCopy   = "Copy again"
	groupCheck  = "Verify"
	groupChange = "Change"
	groupEnd    = "End"
)

// groups is the order of the menu.
var groups = []string{groupRun, groupCopy, groupCheck, groupChange, groupEnd}

// actions are all there are, in the order of the menu.
var actions = []action{
	{Name: "pause", Role: access.Operate, Label: "Pause", Title: "Pause %s?", Group: groupRun,
		Says: []string{
			"The job stops after the step at hand and keeps its position.",
			"A backup or restore that Doris is working on goes on there; the job picks it up when it is resumed.",
			"The source keeps binlogs for binlog.ttl_seconds: a job that was paused for longer begins with a full sync."},
		offered: func(j Job) bool { return j.Status.Running }, do: order(job.SignalPause)},
	{Name: "resume", Role: access.Operate, Label: "Resume", Title: "Let %s go on?", Group: groupRun,
		Says:    []string{"The job goes on where it is. What failed is tried again at once."},
		offered: func(j Job) bool { return !j.Status.Running || j.Status.Problem != nil }, do: order(job.SignalResume)},
	{Name: "skip", Role: access.Operate, Label: "Leave a binlog out", Title: "Leave a binlog of %s out?", Group: groupRun,
		Danger: true, Fields: "skip-fields",
		Says: []string{
			"The job passes over exactly this binlog and goes on with the next.",
			"What it has changed is missing on the destination from then on. For a load that means missing rows: copy the table again instead."},
		do: skipBinlog},

	{Name: "partial_sync", Role: access.Operate, Label: "Copy a table", Title: "Copy a table of %s again?", Group: groupCopy, Fields: "table-fields",
		Says: []string{
			"The source makes a snapshot of the table, the destination restores it beside the table that is there, and both are swapped: readers see the rows of before until then.",
			"The other tables of the job wait meanwhile. What they miss is applied afterwards."},
		offered: func(j Job) bool { return j.Spec.Type() == job.DatabaseSync }, do: partialSync},
	{Name: "full_sync", Role: access.Operate, Label: "Copy everything", Title: "Copy everything of %s again?", Group: groupCopy, Danger: true,
		Says: []string{
			"The source makes a snapshot of everything that the job covers, and the destination restores it. That reads, sends and writes all rows.",
			"Tables stay readable on the destination, with the rows of before, until their copies are complete.",
			"Binlogs since the snapshot are applied afterwards. Until then the destination is behind."},
		do: order(job.SignalForceFullSync)},

	{Name: "verify", Role: access.Operate, Label: "Verify", Title: "Verify %s?", Group: groupCheck, Fields: "verify-fields",
		Says: []string{
			"Both sides are compared while loads go on: each table at one position, with queries that count rows or make checksums of them.",
			"The queries cost both clusters some work. Commits of loads may wait for moments."},
		do: verify},
	{Name: "schedule", Role: access.Operate, Label: "Verify regularly", Title: "Verify %s regularly?", Group: groupCheck, Fields: "schedule-fields",
		Says: []string{"A schedule in Temporal starts a verification each time. An interval of 0 takes it away."}, do: schedule},
	{Name: "repair", Role: access.Operate, Label: "Repair", Title: "Repair what differs in %s?", Group: groupCheck,
		Says: []string{
			"Exactly the tables and partitions that the last verification has found to differ are copied again, and then verified.",
			"The other tables of the job wait meanwhile. What they miss is applied afterwards."},
		do: func(s *Console, v *visit, name string, _ url.Values) error { return s.Backend.Repair(v.c, name) }},
	{Name: "verify_pause", Role: access.Operate, Label: "Pause the verification", Title: "Pause the verification of %s?",
		Says: []string{"It stops after the table at hand, and goes on from there when it is resumed."}, do: steer(job.SignalPause)},
	{Name: "verify_resume", Role: access.Operate, Label: "Resume the verification", Title: "Let the verification of %s go on?",
		Says: []string{"It goes on with the next table."}, do: steer(job.SignalResume)},
	{Name: "verify_cancel", Role: access.Operate, Label: "End the verification", Title: "End the verification of %s?",
		Says: []string{"It ends with the report of what it has done."}, do: steer(job.SignalVerifyCancel)},

	{Name: "tables", Role: access.Operate, Label: "Tables", Title: "Which tables does %s replicate?", Group: groupChange, Fields: "filter-fields",
		Says: []string{
			"A table that becomes included comes by a snapshot of its own. A table of that name on the destination is replaced in one step.",
			"A table that becomes excluded stays on the destination as it is; nothing is dropped."},
		offered: func(j Job) bool { return j.Spec.Type() == job.DatabaseSync }, do: updateTables},
	{Name: "hosts", Role: access.Admin, Label: "Host mapping", Title: "Change the host mapping of %s?", Group: groupChange, Fields: "host-fields",
		Says: []string{
			"The running step starts over with the new addresses.",
			"The job sends the passwords of its accounts to the hosts that you name."},
		do: mapHosts},
	{Name: "addresses", Role: access.Admin, Label: "Addresses", Title: "Reach the clusters of %s at other addresses?", Group: groupChange, Fields: "address-fields",
		Says: []string{
			"It has to be the same cluster: a worker looks first whether it is. If it is another, nothing changes.",
			"The job goes on where it is and copies nothing again. The frontends that it knew are forgotten, those of the new address are listed.",
			"The job sends the passwords of its accounts to the hosts that you name."},
		do: changeAddresses},
	{Name: "options", Role: access.Admin, Label: "Options", Title: "Change the options of %s?", Group: groupChange, Fields: "option-fields",
		Says: []string{
			"The number of replicas holds for tables and partitions that the job makes on the destination from now on. What is there stays as it is.",
			"The order of commits changes only while the job streams and is not stalled. Else the order is refused, and can be given again."},
		do: changeOptions},

	{Name: "credentials", Role: access.Admin, Label: "Credentials", Title: "Change how %s logs in?", Group: groupChange, Fields: "login-fields",
		Says: []string{
			"The accounts are tried at both clusters first, unless you say otherwise. If one is refused, nothing changes.",
			"The running step starts over with the new accounts. A field that stays empty changes nothing."},
		do: changeCredentials},

	{Name: "desync", Role: access.Operate, Label: "Free the destination", Title: "Make the tables of %s ordinary tables?", Group: groupEnd, Danger: true,
		Says: []string{
			"is_being_synced becomes false on the job's tables of the destination: dynamic partitions and automatic bucketing work there again.",
			"The job itself does not end. Pause it before, if the destination is to take over."},
		do: order(job.SignalDesync)},
	{Name: "sync", Role: access.Operate, Label: "Mark the destination", Title: "Mark the tables of %s as replicated?", Group: groupEnd,
		Says: []string{"is_being_synced becomes true again on the job's tables of the destination: dynamic partitions and automatic bucketing rest there."},
		do:   order(job.SignalSync)},
	{Name: "delete", Role: access.Admin, Label: "Delete", Title: "Delete %s?", Group: groupEnd, Danger: true, Fields: "delete-fields",
		Says: []string{
			"The job ends for good and its name becomes free. What it has left half-done on the clusters is removed.",
			"The data on the destination stays, with is_being_synced on its tables: free the destination before, if they are to be ordinary tables.",
			"A new job of that name would begin with a full sync."},
		offered: func(Job) bool { return true }, do: deleteJob},
}

func actionNamed(name string) (action, bool) {
	i := slices.IndexFunc(actions, func(a action) bool { return a.Name == name })
	if i < 0 {
		return action{}, false
	}
	return actions[i], true
}

// menuGroup is a part of the menu of a job.
type menuGroup struct {
	Title   string
	Actions []action
}

// menu is what somebody may order for a job as it is.
func menu(j Job, role access.Role) []menuGroup {
	var list []menuGroup
	for _, title := range groups {
		g := menuGroup{Title: title}
		for _, a := range actions {
			if a.Group == title && role >= a.Role && (a.offered == nil || a.offered(j)) && (j.Err == nil || a.Name == "delete") {
				g.Actions = append(g.Actions, a)
			}
		}
		if len(g.Actions) > 0 {
			list = append(list, g)
		}
	}
	return list
}

// actionData is what the page of an action shows.
type actionData struct {
	action
	Job      jobData
	Question string
	// Form is what has been filled in, or what stands there at first.
	Form url.Values
	// Failure is why an order was refused.
	Failure string
	Tables  []tableChoice
	Report  *job.VerifyReport
	Methods []job.VerifyMethod
	aheadData
	// More: several binlogs are shown.
	More bool
}

type tableChoice struct {
	ID   int64
	Name string
}

// At is a value of the form.
func (d *actionData) At(key string) string { return d.Form.Get(key) }

// actionPage asks whether to do something, and says what will happen.
func (s *Console) actionPage(v *visit) error {
	a, ok := actionNamed(v.c.QueryParam("action"))
	if !ok {
		return v.failPage(http.StatusNotFound, errNoPage)
	}
	form := v.c.QueryParams()
	if a.Role > access.Operate {
		// A link of a stranger must not fill in where the passwords go, so that a person only has to
		// press the button.
		form = url.Values{}
	}
	return s.ask(v, a, v.c.QueryParam("name"), form, "", http.StatusOK)
}

// ask shows the page of an action.
func (s *Console) ask(v *visit, a action, name string, form url.Values, failure string, status int) error {
	if v.identity.Role < a.Role {
		return v.failPage(http.StatusForbidden, &access.ForbiddenError{Identity: v.identity, Needed: a.Role})
	}
	one, err := s.Backend.Job(v.c, name)
	if errors.Is(err, ErrUnknownJob) {
		return v.failPage(http.StatusNotFound, err)
	}
	if err != nil {
		one = Job{Name: name, Err: err}
	}
	d := &actionData{action: a, Job: s.newJobData(one), Question: v.t(a.Title, name), Form: form, Failure: failure, Methods: job.VerifyMethods}
	if err == nil {
		if err := s.prepare(v, d); err != nil && failure == "" {
			d.Failure = err.Error()
		}
	}
	return v.page(status, "action", d.Question, "jobs", 0, d)
}

// prepare fills in what stands in the fields at first, and what they offer.
func (s *Console) prepare(v *visit, d *actionData) error {
	set := func(key, value string) {
		if !d.Form.Has(key) {
			d.Form.Set(key, value)
		}
	}
	switch d.Fields {
	case "skip-fields":
		seq, _ := strconv.ParseInt(strings.TrimSpace(d.Form.Get("commit_seq")), 10, 64)
		limit := 1
		if d.More = d.Form.Get("more") != ""; d.More {
			limit = job.MaxBinlogsWanted
		}
		d.aheadData = s.lookAhead(v, d.Job.Name, max(seq, 0), limit)
		if p := d.Job.Problem; p != nil && p.At(d.Job.Status.Position.CommitSeq) {
			set("commit_seq", strconv.FormatInt(p.CommitSeq, 10))
		}
	case "table-fields":
		p, err := s.Backend.Progress(v.c, d.Job.Name)
		if err != nil {
			return err
		}
		for id, t := range p.Tables {
			if !t.View && !t.External && !t.Gone {
				d.Tables = append(d.Tables, tableChoice{id, t.Name})
			}
		}
		slices.SortFunc(d.Tables, func(a, b tableChoice) int { return strings.Compare(a.Name, b.Name) })
	case "filter-fields":
		set("include", strings.Join(d.Job.Spec.Include, "\n"))
		set("exclude", strings.Join(d.Job.Spec.Exclude, "\n"))
	case "host-fields":
		set("src", mappingText(d.Job.Spec.Source.HostMapping))
		set("dest", mappingText(d.Job.Spec.Destination.HostMapping))
	case "option-fields":
		for key, value := range optionsForm(d.Job.Spec) {
			set(key, value)
		}
	case "verify-fields":
		set("method", string(job.VerifyChecksum))
	case "schedule-fields":
		set("method", string(job.VerifyChecksum))
		set("every", "24h")
	}
	if d.Name == "repair" {
		var err error
		d.Report, _, err = s.Backend.Verification(v.c, d.Job.Name)
		return err
	}
	return nil
}

// act carries an action out.
func (s *Console) act(v *visit) error {
	form := v.c.Request().PostForm
	a, ok := actionNamed(form.Get("action"))
	if !ok {
		return v.failPage(http.StatusNotFound, errNoPage)
	}
	name := form.Get("name")
	if v.identity.Role < a.Role {
		err := &access.ForbiddenError{Identity: v.identity, Needed: a.Role}
		access.LogRefusal(s.Logger, v.c.Request(), err)
		return v.failPage(http.StatusForbidden, err)
	}
	err := a.do(s, v, name, form)
	switch {
	case errors.Is(err, ErrUnknownJob):
		return v.failPage(http.StatusNotFound, err)
	case errors.Is(err, ErrPending):
		return v.page(http.StatusAccepted, "pending", v.t("Recorded"), "jobs", 0, pendingData{Name: name, Text: err.Error()})
	case err != nil:
		return s.ask(v, a, name, form, err.Error(), http.StatusUnprocessableEntity)
	case a.Name == "delete":
		return v.see("?done=delete&job=" + url.QueryEscape(name))
	}
	tab := ""
	if a.Group == groupCheck || a.Group == "" {
		tab = "&tab=verify"
	}
	return v.see("console/job?name=" + url.QueryEscape(name) + tab + "&done=" + a.Name)
}

// pendingData is what the page about an order shows that is not carried out yet.
type pendingData struct{ Name, Text string }

func skipBinlog(s *Console, v *visit, name string, form url.Values) error {
	seq, err := strconv.ParseInt(strings.TrimSpace(form.Get("commit_seq")), 10, 64)
	if err != nil {
		return errors.New(v.t("The commit seq is a number."))
	}
	return s.Backend.SkipBinlog(v.c, name, job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: seq})
}

func partialSync(s *Console, v *visit, name string, form url.Values) error {
	p, err := s.Backend.Progress(v.c, name)
	if err != nil {
		return err
	}
	id, _ := strconv.ParseInt(form.Get("table"), 10, 64)
	t, ok := p.Tables[id]
	if !ok {
		return errors.New(v.t("Choose one of the job's tables."))
	}
	return s.Backend.SkipBinlog(v.c, name, job.SkipBinlog{SkipBy: job.SkipPartialSync, SkipTable: t.Name, SkipTableID: id})
}

func verify(s *Console, v *visit, name string, form url.Values) error {
	o, err := readVerifyOrder(v, form)
	if err != nil {
		return err
	}
	return s.Backend.Verify(v.c, name, o)
}

func schedule(s *Console, v *visit, name string, form url.Values) error {
	o, err := readVerifyOrder(v, form)
	if err != nil {
		return err
	}
	every := strings.TrimSpace(form.Get("every"))
	o.Every, o.Window = &every, strings.TrimSpace(form.Get("window"))
	return s.Backend.Verify(v.c, name, o)
}

func readVerifyOrder(v *visit, form url.Values) (VerifyOrder, error) {
	o := VerifyOrder{Tables: words(form.Get("tables")), Method: job.VerifyMethod(form.Get("method")), Repair: form.Get("repair") != "", Replicas: form.Get("replicas") != ""}
	if text := strings.TrimSpace(form.Get("rate")); text != "" {
		var err error
		if o.Rate, err = strconv.ParseInt(text, 10, 64); err != nil || o.Rate < 0 {
			return o, errors.New(v.t("Rows a second are a number."))
		}
	}
	return o, nil
}

func updateTables(s *Console, v *visit, name string, form url.Values) error {
	include, exclude := words(form.Get("include")), words(form.Get("exclude"))
	return s.Backend.UpdateTables(v.c, name, job.UpdateTables{Include: &include, Exclude: &exclude})
}

// mapHosts has the mappings become what the form says: entries that are gone from it are taken away.
func mapHosts(s *Console, v *visit, name string, form url.Values) error {
	one, err := s.Backend.Job(v.c, name)
	if err != nil {
		return err
	}
	var m job.HostMappings
	if m.Source, err = mappingChange(v, one.Spec.Source.HostMapping, form.Get("src")); err != nil {
		return err
	}
	if m.Destination, err = mappingChange(v, one.Spec.Destination.HostMapping, form.Get("dest")); err != nil {
		return err
	}
	return s.Backend.MapHosts(v.c, name, m)
}

// mappingText writes a mapping for people, a line an entry.
func mappingText(mapping map[string]string) string {
	var lines []string
	for private, public := range mapping {
		lines = append(lines, private+" = "+public)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// mappingChange is the update that makes a mapping of what is there what the text says.
func mappingChange(v *visit, old map[string]string, text string) (map[string]string, error) {
	change := map[string]string{}
	wanted := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		private, public, ok := strings.Cut(line, "=")
		private, public = strings.TrimSpace(private), strings.TrimSpace(public)
		if !ok || private == "" || public == "" {
			return nil, fmt.Errorf("%s: %s", v.t("A line is: private address = public address"), line)
		}
		wanted[private] = true
		if old[private] != public {
			change[private] = public
		}
	}
	for private := range old {
		if !wanted[private] {
			change[private] = ""
		}
	}
	return change, nil
}

// asWorkersSay stands in the form for a side without TLS of its own.
const asWorkersSay = "-"

// TLSModes are what may be chosen for SQL to a side.
func (d *actionData) TLSModes() []string { return job.TLSModes() }

// changeAddresses sends the fields that are filled in: what is left empty stays.
func changeAddresses(s *Console, v *visit, name string, form url.Values) error {
	address := func(side string) (a Address, err error) {
		a.Host = strings.TrimSpace(form.Get(side + ".host"))
		for key, into := range map[string]*int{".port": &a.Port, ".thrift_port": &a.ThriftPort} {
			text := strings.TrimSpace(form.Get(side + key))
			if text == "" {
				continue
			}
			if *into, err = strconv.Atoi(text); err != nil || *into < 1 || *into > 65535 {
				return a, fmt.Errorf("%s: %s", v.t("A port is a number up to 65535"), text)
			}
		}
		if mode := form.Get(side + ".tls"); mode == asWorkersSay {
			a.TLS = new(string)
		} else if mode != "" {
			a.TLS = &mode
		}
		if ca := strings.TrimSpace(form.Get(side + ".tls_ca")); ca != "" {
			a.TLSCA = &ca
		}
		return a, nil
	}
	source, err := address("src")
	if err != nil {
		return err
	}
	destination, err := address("dest")
	if err != nil {
		return err
	}
	return s.Backend.ChangeAddresses(v.c, name, source, destination, form.Get("force") != "")
}

// changeOptions sends what the form says otherwise than the job: an option that stays is not sent, so that it cannot be refused.
func changeOptions(s *Console, v *visit, name string, form url.Values) error {
	one, err := s.Backend.Job(v.c, name)
	if err != nil {
		return err
	}
	var o job.UpdateOptions
	was := optionsForm(one.Spec)
	if text := strings.TrimSpace(form.Get("replication_num")); text != was["replication_num"] {
		n := -1
		if text != "" {
			if n, err = strconv.Atoi(text); err != nil {
				return errors.New(v.t("The number of replicas is a number."))
			}
		}
		o.ReplicationNum = &n
	}
	if order := form.Get("commit_order"); order != was["commit_order"] {
		o.CommitOrder = job.CommitOrder(order)
	}
	if o.ReplicationNum == nil && o.CommitOrder == "" {
		return errors.New(v.t("Nothing is to be changed."))
	}
	return s.Backend.UpdateOptions(v.c, name, o)
}

// optionsForm is what stands in the fields of the options at first.
func optionsForm(s job.Spec) map[string]string {
	form := map[string]string{"replication_num": "", "commit_order": string(cmp.Or(s.CommitOrder, job.CommitOrderGlobal))}
	if s.ReplicationNum > 0 {
		form["replication_num"] = strconv.Itoa(s.ReplicationNum)
	}
	return form
}

func changeCredentials(s *Console, v *visit, name string, form url.Values) error {
	login := func(side string) Login {
		l := Login{User: strings.TrimSpace(form.Get(side + ".user"))}
		if password := form.Get(side + ".password"); password != "" || form.Get(side+".no_password") != "" {
			l.Password = &password
		}
		return l
	}
	return s.Backend.ChangeCredentials(v.c, name, login("src"), login("dest"), form.Get("force") != "")
}

// deleteJob asks for the job's name: it is what cannot be taken back.
func deleteJob(s *Console, v *visit, name string, form url.Values) error {
	if strings.TrimSpace(form.Get("typed")) != name {
		return errors.New(v.t("Type the name of the job, so that it is surely this one."))
	}
	return s.Backend.Delete(v.c, name)
}

// words are the words of a text, whatever is between them.
func words(text string) []string {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	if list == nil {
		list = []string{}
	}
	return list
}
