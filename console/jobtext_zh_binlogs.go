package console

// chineseAhead is what the next binlogs of a job would do.
var chineseAhead = map[string]string{
	"read the binlogs of the source after commit seq %d: %v": "读取源端 commit seq %d 之后的 binlog：%w",
	"passed over: %s":                                                             "跳过：%w",
	"the job is done with it already":                                             "任务已处理过它",
	"an operator has ordered so":                                                  "按操作者的要求",
	"a snapshot of the table contains it":                                         "该表的快照已包含它",
	"a snapshot of everything comes before it, and contains it":                   "在它之前会有一次完整快照，并已包含它",
	"the job's filter leaves the table out":                                       "任务的过滤条件不包含该表",
	"it means nothing to a destination":                                           "它对目标端没有意义",
	"snapshots contain all that it has loaded, or it is for temporary partitions": "快照已包含它导入的全部数据，或者它写入的是临时分区",
	"binlogs were switched off or on: all tables are compared, and what differs comes by snapshots":                                   "binlog 曾被关闭或打开：将比较所有表，不同之处由快照带来",
	"copies the rows of a load, in one transaction: %s":                                                                               "在一个事务中复制一次导入的行：%w",
	"table id %d, which the job does not have (it comes by a snapshot, unless the filter leaves it out or the source has dropped it)": "表 id %d，任务没有它（它由快照带来，除非过滤条件不包含它或源端已删除它）",
	"table %s, which comes by a snapshot":                                                                                             "表 %s，由快照带来",
	"what it would do cannot be told now: %s":                                                                                         "现在无法说明它会做什么：%w",
	"a statement that is made of the record and of what the destination has then":                                                     "由记录和届时目标端的状况生成的语句",
	"the job cannot handle it, and would stop: %s":                                                                                    "任务无法处理它，会停住：%w",
	"runs on the destination what is below":                                                                                           "在目标端执行以下语句",
	"copies everything that the job covers again: %s":                                                                                 "重新复制任务覆盖的全部内容：%w",
	"copies table %s again, by a snapshot: %s":                                                                                        "用快照重新复制表 %s：%w",
	"copies partitions %s of table %s again, by a snapshot: %s":                                                                       "用快照重新复制表 %[2]s 的分区 %[1]s：%[3]w",
	"it depends on what the destination has":                                                                                          "取决于目标端的状况",
	"[normal] limit is %q: it has to be a number":                                                                                     "[normal] limit 为 %s：必须是数字",
	"[normal] commit_seq is %q: it has to be a number":                                                                                "[normal] `commit_seq` 为 %s：必须是数字",
	"[normal] limit is 1 to %d, and commit_seq not negative":                                                                          "[normal] limit 为 1 到 %d，`commit_seq` 不能为负",
}
