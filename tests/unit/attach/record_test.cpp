#include "relay/attach/record.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "folder.hpp"

// Goal: what attach must know to undo itself survives everything, and files come back as they were.
namespace millrace::attach {
namespace {

Record full() {
    Record record;
    record.mta = "postfix";
    record.folder = "/etc/postfix \"x\"";
    record.step = Record::Step::enforcing;
    record.scope = {{"shop.test"}, {"warehouse.test", "rose.test"}};
    record.since = "2026-11-24T08:15:30Z";
    record.files = {{"/etc/postfix/main.cf", "main.cf", 0644, 1, 2, "../elsewhere/main.cf"},
                    {"/etc/postfix/master.cf", "master.cf", 0600, 0, 0, ""}};
    record.created = {"/var/spool/postfix/millrace", "/etc/postfix/millrace-clients.cidr"};
    record.changes = {{Change::Where::main, "a", "b = \"c\""},
                      {Change::Where::service, "millrace/unix", "millrace unix - - y - - smtp"},
                      {Change::Where::option, "smtp/inet/x", "y"}};
    record.before = {{Change::Where::main, "a", ""}};
    record.reload = "/run/sendmail.pid";
    return record;
}

TEST(RecordTest, ItComesBackAsItWasWritten) {
    Folder const folder;
    auto const want = full();
    ASSERT_TRUE(write_record(folder.path(), want));
    auto const got = read_record(folder.path());
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->mta, want.mta);
    EXPECT_EQ((*got)->folder, want.folder);
    EXPECT_EQ((*got)->step, want.step);
    EXPECT_EQ((*got)->scope.senders, want.scope.senders);
    EXPECT_EQ((*got)->scope.domains, want.scope.domains);
    EXPECT_EQ((*got)->since, want.since);
    EXPECT_EQ((*got)->files, want.files);
    EXPECT_EQ((*got)->created, want.created);
    EXPECT_EQ((*got)->changes, want.changes);
    EXPECT_EQ((*got)->before, want.before);
    EXPECT_EQ((*got)->reload, want.reload);
    for (auto const step : {Record::Step::listening, Record::Step::detached}) {
        auto other = want;
        other.step = step;
        ASSERT_TRUE(write_record(folder.path(), other));
        EXPECT_EQ((*read_record(folder.path()))->step, step);
    }
}

TEST(RecordTest, NoneIsNoFailure) {
    Folder const folder;
    auto const got = read_record(folder.path());
    ASSERT_TRUE(got);
    EXPECT_FALSE(*got);
    EXPECT_EQ(record_folder("/etc/millrace/millrace.conf"), "/etc/millrace/attached");
}

TEST(RecordTest, ACutOrStrangeRecordSaysWhereTheFilesAre) {
    Folder const folder;
    ASSERT_TRUE(write_record(folder.path(), full()));
    auto const whole = bytes_of(folder / "record.json");
    std::vector<std::string> broken{"", "{}", "[]", "null", "\xff\xfe", std::string(100, '[')};
    for (std::size_t length = 1; length + 2 < whole.size(); length += 7) {
        broken.push_back(whole.substr(0, length));
    }
    auto version = whole;
    version.replace(version.find("\"version\":1"), 11, "\"version\":9");
    broken.push_back(version);
    auto step = whole;
    step.replace(step.find("enforcing"), 9, "somewhere");
    broken.push_back(step);
    auto where = whole;
    where.replace(where.find("\"option\""), 8, "\"nowhere\"");
    broken.push_back(where);
    for (auto const& bytes : broken) {
        put(folder / "record.json", bytes);
        auto const got = read_record(folder.path());
        ASSERT_FALSE(got) << bytes;
        EXPECT_EQ(got.error().fault, Fault::corrupt);
        EXPECT_NE(got.error().detail.find("/*.before"), std::string::npos) << got.error().detail;
    }
}

TEST(RecordTest, AFileComesBackWithItsBytesModeAndOwner) {
    Folder const folder;
    auto const path = folder / "main.cf";
    std::string const bytes("a = b\r\n\0\xff no newline", 21);
    put(path, bytes);
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    bool const root = ::geteuid() == 0;
    if (root) {
        ASSERT_EQ(::chown(path.c_str(), 12, 34), 0);
    }
    auto const saved = save(folder.path(), path);
    ASSERT_TRUE(saved);
    EXPECT_FALSE(untouched(folder.path(), *saved));  // nothing is noted yet
    EXPECT_TRUE(as_before(folder.path(), *saved));

    put(path, "ours");
    ASSERT_TRUE(note_after(folder.path(), *saved));
    EXPECT_TRUE(untouched(folder.path(), *saved));
    EXPECT_FALSE(as_before(folder.path(), *saved));
    put(path, "by hand");
    EXPECT_FALSE(untouched(folder.path(), *saved));

    ASSERT_EQ(::unlink(path.c_str()), 0);
    ASSERT_TRUE(restore(folder.path(), *saved));
    EXPECT_EQ(bytes_of(path), bytes);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640U);
    if (root) {
        EXPECT_EQ(status.st_uid, 12U);
        EXPECT_EQ(status.st_gid, 34U);
    }
}

/// postconf -e makes a file of a link; the configuration may be kept in a repository behind it.
TEST(RecordTest, ALinkComesBackAsALink) {
    Folder const folder;
    std::filesystem::create_directory(folder / "kept");
    put(folder / "kept/main.cf", "theirs");
    std::filesystem::create_symlink("kept/main.cf", folder / "main.cf");
    auto const saved = save(folder.path(), folder / "main.cf");
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->link, "kept/main.cf");
    std::filesystem::remove(folder / "main.cf");
    put(folder / "main.cf", "ours");
    ASSERT_TRUE(note_after(folder.path(), *saved));

    ASSERT_TRUE(restore(folder.path(), *saved));
    EXPECT_EQ(std::filesystem::read_symlink(folder / "main.cf"), "kept/main.cf");
    EXPECT_EQ(bytes_of(folder / "kept/main.cf"), "theirs");

    // Written through the link meanwhile.
    put(folder / "main.cf", "ours again");
    ASSERT_TRUE(restore(folder.path(), *saved));
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "main.cf"));
    EXPECT_EQ(bytes_of(folder / "kept/main.cf"), "theirs");
}

/// No room: as on a full disk, a file can only be left as it is.
TEST(RecordTest, WhatCannotBeWrittenLeavesTheOldFileWhole) {
    Folder const folder;
    put(folder / "main.cf", "theirs");
    auto const saved = save(folder.path(), folder / "main.cf");
    ASSERT_TRUE(saved);
    rlimit kept{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &kept), 0);
    auto const old_handler = ::signal(SIGXFSZ, SIG_IGN);
    rlimit const none{0, kept.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
    auto const wrote = write_whole(folder / "main.cf", "ours", 0644, ::geteuid(), ::getegid());
    auto const put_back = restore(folder.path(), *saved);
    ::setrlimit(RLIMIT_FSIZE, &kept);
    ::signal(SIGXFSZ, old_handler);
    EXPECT_FALSE(wrote);
    EXPECT_TRUE(put_back) << "it is as it was: there is nothing to write";
    EXPECT_EQ(bytes_of(folder / "main.cf"), "theirs");
    EXPECT_FALSE(std::filesystem::exists(folder / "main.cf.millrace-new"));
}

TEST(RecordTest, AMissingFolderIsSaid) {
    auto const wrote = write_whole("/nowhere/at/all", "x", 0644, ::geteuid(), ::getegid());
    ASSERT_FALSE(wrote);
    EXPECT_NE(wrote.error().detail.find("/nowhere/at/all"), std::string::npos);
    EXPECT_FALSE(save("/nowhere", "/nowhere/main.cf"));
}

}  // namespace
}  // namespace millrace::attach
