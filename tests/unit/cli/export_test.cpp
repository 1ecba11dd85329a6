// Goal: what is exported is there whole or not at all, takes nobody's place, and can be handed in
// again.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "relay/cli/export_files.hpp"
#include "relay/cli/export_folder.hpp"

namespace millrace::relay {
namespace {

class ExportTest : public testing::Test {
  protected:
    ExportTest() {
        std::string name = testing::TempDir() + "millrace_export_XXXXXX";
        top = ::mkdtemp(name.data());
        path = top + "/out";
    }
    ~ExportTest() override { std::filesystem::remove_all(top); }

    std::string read(const std::string& name) const {
        std::ifstream in(path + "/" + name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(path), {}));
    }
    std::string top, path;
};

TEST_F(ExportTest, NothingHasItsNameBeforeItIsSafe) {
    using Staged = ExportFolder::Staged;
    {
        auto folder = ExportFolder::open(path);
        ASSERT_TRUE(folder);
        EXPECT_EQ(folder->stage("a.eml", "one").value(), Staged::written);
        EXPECT_FALSE(std::filesystem::exists(path + "/a.eml"));
        ASSERT_TRUE(folder->settle());
        EXPECT_EQ(read("a.eml"), "one");
        EXPECT_EQ(folder->stage("a.eml", "one").value(), Staged::there);
        EXPECT_EQ(folder->stage("a.eml", "on").value(), Staged::in_way);
        EXPECT_EQ(folder->stage("a.eml", "one more").value(), Staged::in_way);
        EXPECT_EQ(folder->stage("a.eml", "two", true).value(), Staged::written);
        ASSERT_TRUE(folder->settle());
        EXPECT_EQ(read("a.eml"), "two");
        EXPECT_EQ(folder->stage("b.eml", std::string(1 << 20, 'x')).value(), Staged::written);
    }
    EXPECT_EQ(files(), 1U);  // what was never settled is gone
}

TEST_F(ExportTest, AFileThatCameMeanwhileStays) {
    auto folder = ExportFolder::open(path);
    ASSERT_TRUE(folder);
    ASSERT_TRUE(folder->stage("a.eml", "ours"));
    std::ofstream(path + "/a.eml") << "theirs";
    auto const settled = folder->settle();
    ASSERT_FALSE(settled);
    EXPECT_NE(settled.error().detail.find("a.eml: File exists"), std::string::npos);
    EXPECT_EQ(read("a.eml"), "theirs");
}

TEST_F(ExportTest, AFolderThatCannotBeIsSaid) {
    std::ofstream(top + "/file") << "x";
    EXPECT_FALSE(ExportFolder::open(top + "/file"));
    EXPECT_FALSE(ExportFolder::open(top + "/no/such"));
}

TEST(ExportFiles, EveryByteComesBack) {
    std::string bytes, text;
    for (int i = 0; i < 256; ++i) {
        bytes += static_cast<char>(i);
        if (i < 0x80) {
            text += static_cast<char>(i);
        } else {
            text += static_cast<char>(0xC0 | (i >> 6));
            text += static_cast<char>(0x80 | (i & 0x3F));
        }
    }
    EXPECT_TRUE(bytes_of(text) == bytes);
    EXPECT_EQ(bytes_of("a\xC3"), "a");  // cut off
}

TEST(ExportFiles, TheSendmailLineSurvivesTheShell) {
    EXPECT_EQ(shell_quoted("o'brien@x.test"), "'o'\\''brien@x.test'");
    auto const envelope =
        boost::json::parse(R"({"id":"4S64V","sender":"o'brien@x.test","envid":"Q1",
        "recipients":[{"index":0,"address":"a@b.test","notify":"NEVER","state":"waiting"},
                      {"index":1,"address":"$(x)@b.test","notify":"NEVER","state":"held"},
                      {"index":2,"address":"done@b.test","state":"delivered"}]})")
            .as_object();
    auto const file = boost::json::parse(envelope_file(envelope, {0, 1}, {1})).as_object();
    EXPECT_EQ(file.at("sendmail").as_string(),
              "sendmail -i -f 'o'\\''brien@x.test' -V 'Q1' -N 'NEVER' -- 'a@b.test' '$(x)@b.test' "
              "< 4S64V.eml");
    auto const& recipients = file.at("recipients").as_array();
    EXPECT_TRUE(recipients[0].at("selected").as_bool());
    EXPECT_FALSE(recipients[0].at("removed").as_bool());
    EXPECT_TRUE(recipients[1].at("removed").as_bool());
    EXPECT_FALSE(recipients[2].at("selected").as_bool());
}

}  // namespace
}  // namespace millrace::relay
