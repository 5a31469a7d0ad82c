package e2e

import "slices"

// elsewhere is another test that follows remedies, or meets them where no cluster
// and no operator can get a job into the trouble from outside.
type elsewhere struct {
	test         string
	helps, pages []string // as in remedyRow
	texts        []string
}

func followedElsewhere() []elsewhere {
	return slices.Concat(followedEndToEnd(), followedByUnitTests(), pagesOfGuides())
}

// followedEndToEnd are tests of this package.
func followedEndToEnd() []elsewhere {
	return []elsewhere{
		{test: "TestHostMapping", helps: []string{"add it to the host mapping with update_host_mapping"}, pages: []string{"### A host is not in the host mapping"}},
		{test: "TestASourceDatabaseCreatedAgain", helps: []string{"force_fullsync has the job follow the new one"}},
		{test: "TestRowsOfBinlogsAreGone", helps: []string{"no backend of the source has the rows of this binlog any more"}, texts: []string{"get binlog info failed"}, pages: []string{"`get binlog info failed`"}},
		{test: "TestReuseBinlogLabel", helps: []string{"wait until the destination has forgotten or aborted that load"}},
		{test: "TestStepPausedInTemporal", helps: []string{"unpause it there, or: temporal activity unpause"}, pages: []string{"### `is paused in Temporal`"}},
		{test: "TestKeyRotation", helps: []string{"give every worker and API server the same secret key"}, pages: []string{"### `sealed with a key that this process does not have`"}},
		{test: "TestHostsAndOptionsChange", helps: []string{"name an address of the same cluster; a job for another cluster is created anew"}},
		{test: "TestTLSOfASide", helps: []string{"update_hosts tells a running job another %s.tls"}},
		{test: "TestLabelsThatAreForgotten", pages: []string{"### It is unknown what was applied"}},
		{test: "TestLostBinlogsLeadToAFullSync", pages: []string{"## A full sync that nobody ordered", "`binlogs after commit seq ... are lost: the source has collected everything up to ...`", "## Binlogs are about to be lost"}},
		{test: "TestSkipByPartialAndFullSync", pages: []string{"`new job`, `the user required ...`"}},
		{test: "TestImportInTheMiddleOfASnapshot", pages: []string{"`imported in the middle of a full sync`"}},
		{test: "TestDifferencesAreTold", pages: []string{"## Rows differ", "`rows`", "`definition`", "`partitions`", "`objects`"}},
		{test: "TestPauseAndResume", pages: []string{"`\"state\":\"paused\"`"}},
		{test: "TestEachProcessMayDie", helps: []string{"unpause it with the tool that has paused it"}, pages: []string{"## No worker", "## No API server", "## Temporal is away", "`error_msg`: `no worker is running`", "`error_msg`: `temporal is not reachable`"}},
		{test: "TestMetrics", pages: []string{"## The lag grows", "`/metrics`, the dashboard", "`lag` grows, not stalled"}},
		{test: "TestSignalsAndQueriesByHand", pages: []string{"The Temporal Web UI, workflow `ccr-job-<name>`"}},
		{test: "TestCheckCommand", pages: []string{"`check_ccr`"}},
	}
}

// followedByUnitTests cannot be had end to end: a binlog of a gigabyte, ten minutes
// without progress, states and results of workers of two versions.
func followedByUnitTests() []elsewhere {
	return []elsewhere{
		{test: "TestAShiftThatWaitsForItselfTellsWithinAMinute", helps: []string{"the stream begins again by itself"}},
		{test: "TestUpdateCredentialsThatDoNotWork", helps: []string{`with "force": true the job is told all the same`}},
		{test: "TestStreamAsksForLess", helps: []string{"force_fullsync brings what it did"}, pages: []string{"### `the next binlog is larger than`"}},
		{test: "TestAStepBeginsOnceItsTablesAreKnown", helps: []string{"whether the workflow of the job has failing tasks"}, pages: []string{"### `the tables of the job are not known`"}},
		{test: "TestRefusalBecomesASnapshot", helps: []string{"job_skip_binlog with skip_by partialsync brings the table by a snapshot"}},
		{test: "TestRemedies", helps: []string{"look at the load of both clusters"}},
		{test: "TestRemediesOfANewJob", helps: []string{"grant the privilege to the user "}},
		{test: "TestAdopt", helps: []string{"grant Admin_priv to the user %s of the destination for the time of the takeover"}},
		{test: "TestATableJobWaitsForItsTableToComeBack", helps: []string{"recover or create the table on the source, or delete the job"}},
		{test: "TestAPhaseOfTheFutureIsAProblem", helps: []string{"run workers of the version that wrote this state, or a newer one"}, pages: []string{"### A phase `which this worker does not know`"}},
		{test: "TestResultsThatMakeNoSenseAreProblems", helps: []string{"run workers of one version: finish the roll-out, or roll it back"}},
		{test: "TestWorkersThatDieAreAProblemInTheEnd", helps: []string{"look whether workers are running and what they log"}, pages: []string{"### `no worker finished it in time`", "Logs of workers"}},
		{test: "TestAShiftThatDoesNotMoveSaysSo", helps: []string{"pause and resume the job to begin the transactions again"}, pages: []string{"### No progress, but no error either"}},
		{test: "TestStepWithoutProgressSaysSo", helps: []string{"look at SHOW PROCESSLIST of the destination's master", "look at SHOW PROCESSLIST and SHOW TRANSACTION of the destination", "look at the load of the source's frontends"}},
		{test: "TestStandstill", helps: []string{"start a worker (ccr worker, ccr server), or more of them"}, pages: []string{"### `no worker takes the job's step`, `no worker takes the job's workflow task`"}},
		{test: "TestCreateAsksEveryJob", helps: []string{"look at these jobs (job_status, the Temporal Web UI): get them going, or delete them"}},
		{test: "TestCheckTransactions", helps: []string{"grant Admin_priv to the user "}},
		{test: "TestCheckRecorded", helps: []string{"compare the source's version with 2.1.8 and 3.0.4 yourself"}},
		{test: "TestCheckVersions", helps: []string{"compare the versions of both clusters yourself", "upgrade to Doris 2.1 or later"}},
		{test: "TestLeastPrivileges", helps: []string{" = true in fe.conf yourself, or grant Admin_priv"}},
		{test: "TestFrontendsThatAreNotListed", helps: []string{"name an address that stands for all frontends"}},
		{test: "TestForeignTables", helps: []string{"create their resources on the destination before the job", "create them on the destination yourself"}},
		{test: "TestCheckWay", helps: []string{"name public addresses of the source's backends in src.host_mapping", "run on each of %s: for be in %s; do curl"}},
		{test: "TestAGapOfManyTablesIsAFullSync", pages: []string{"`... of ... tables may have changed while the source did not record: ...`"}},
		{test: "TestApplyReplaceTable", pages: []string{"`table ... was replaced by table ...` (table job)"}},
		{test: "TestClassify", pages: []string{"`rpc`", "`db`", "`fe`", "`be`", "`meta`", "`normal`"}},
	}
}

// pagesOfGuides lead to other parts of the page, which have their tests.
func pagesOfGuides() []elsewhere {
	return []elsewhere{
		{test: "TestRemediesHelp", pages: []string{"## A job is stalled", "### What Doris says, and what helps", "`\"stalled\":true`", "`progress_state` ends in `FullSync` or `PartialSync` for long", "`full_syncs` has grown", "## Where to look", "`job_status`, `job_progress`, events"}},
		{test: "TestBackupOfTheDataDirectory", pages: []string{"### Backup"}},
	}
}
