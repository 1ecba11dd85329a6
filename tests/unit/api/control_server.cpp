#include "relay/api/control_server.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "common/net/asio_clock.hpp"
#include "tests/unit/api/model_operations.hpp"
#include "tests/unit/api/recording_log.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;
using Protocol = asio::local::stream_protocol;

bool is_last(const std::string& line) {
    return line.starts_with("{\"end\"") || line.starts_with("{\"error\"");
}

/// The real server on a real Unix socket in a folder of its own.
class ControlSocket : public testing::Test {
  protected:
    ControlSocket() {
        std::string name = testing::TempDir() + "millrace_api_XXXXXX";
        folder_ = ::mkdtemp(name.data());
        path_ = folder_ + "/run/control.sock";
    }
    ~ControlSocket() override { std::filesystem::remove_all(folder_); }

    ControlServer::Parts parts() { return {loop_.get_executor(), clock_, operations_, log_}; }

    /// Sends the text and reads until `answers` answers are complete, or the server closes.
    Task<void> talk(std::string text, unsigned answers, std::vector<std::string>& lines) {
        Protocol::socket socket(loop_);
        boost::system::error_code error;
        co_await socket.async_connect(Protocol::endpoint(path_),
                                      asio::redirect_error(asio::use_awaitable, error));
        EXPECT_FALSE(error) << error.message();
        co_await asio::async_write(
            socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
        std::string input;
        while (answers > 0) {
            char buffer[4096];
            auto const size = co_await socket.async_read_some(
                asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
            if (error) {
                break;
            }
            input.append(buffer, size);
            for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
                lines.push_back(input.substr(0, end));
                input.erase(0, end + 1);
                answers -= is_last(lines.back()) ? 1 : 0;
            }
        }
    }

    Task<void> scene(std::string text, unsigned answers, std::vector<std::string>& lines) {
        ControlServer server(parts());
        auto const opened = server.open(path_);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().detail);
        co_await talk(std::move(text), answers, lines);
        co_await server.stop();
    }

    std::vector<std::string> ask(std::string text, unsigned answers = 1) {
        std::vector<std::string> lines;
        asio::co_spawn(loop_, scene(std::move(text), answers, lines), asio::detached);
        loop_.restart();
        loop_.run();
        return lines;
    }

    static json::object end_of(const std::vector<std::string>& lines) {
        if (lines.empty() || !lines.back().starts_with("{\"end\"")) {
            ADD_FAILURE() << (lines.empty() ? "no answer" : lines.back());
            return {};
        }
        return json::parse(lines.back()).at("end").as_object();
    }

    asio::io_context loop_;
    AsioClock clock_;
    RecordingLog log_;
    ModelOperations operations_;
    std::string folder_, path_;
};

TEST_F(ControlSocket, SaysHowItGoes) {
    operations_.add(1, 3, "a.example");
    auto const status = end_of(ask("{\"command\":\"status\"}\n"));
    EXPECT_EQ(status.at("queued").to_number<int>(), 3);
    EXPECT_TRUE(status.at("accepting").as_bool());
}

TEST_F(ControlSocket, AnswersSeveralQuestionsOnOneConnection) {
    auto const lines = ask(
        "{\"command\":\"status\"}\n{\"command\":\"destinations\"}\n{\"command\":\"count\"}\n", 3);
    EXPECT_EQ(lines.size(), 3U);
}

TEST_F(ControlSocket, GivesOrdersAndEndsThem) {
    auto lines =
        ask("{\"command\":\"pause\",\"target\":\"GMail.com\",\"for_ms\":7200000,\"reason\":\"x\"}\n"
            "{\"command\":\"drain\",\"target\":\"192.0.2.1\"}\n"
            "{\"command\":\"orders\"}\n",
            3);
    ASSERT_EQ(lines.size(), 5U);
    auto const paused = json::parse(lines[0]).at("end").as_object();
    EXPECT_EQ(paused.at("target").as_string(), "destination:gmail.com");
    EXPECT_TRUE(paused.at("by").as_string().starts_with("uid "));
    EXPECT_TRUE(paused.contains("until"));
    auto const drained = json::parse(lines[3]).at("item").as_object();
    EXPECT_EQ(drained.at("order").as_string(), "drain");
    EXPECT_EQ(drained.at("target").as_string(), "source:192.0.2.1");
    EXPECT_FALSE(drained.contains("until"));
    EXPECT_TRUE(std::ranges::any_of(log_.lines, [](auto const& line) {
        return line.starts_with("control.order order=pause target=destination:gmail.com by=");
    })) << log_.lines.size();
    lines =
        ask("{\"command\":\"resume\",\"target\":\"gmail.com\"}\n"
            "{\"command\":\"resume\",\"target\":\"gmail.com\"}\n"
            "{\"command\":\"pause\",\"target\":\"provder:x\"}\n"
            "{\"command\":\"pause\",\"target\":\"a.example\",\"for_ms\":0}\n",
            4);
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_TRUE(lines[0].starts_with("{\"end\""));
    EXPECT_NE(lines[1].find("not_found"), std::string::npos);
    EXPECT_NE(lines[2].find("did you mean provider:?"), std::string::npos);
    EXPECT_NE(lines[3].find("for_ms"), std::string::npos);
    EXPECT_EQ(operations_.given.size(), 1U);
}

TEST_F(ControlSocket, NotesThatASourceHasAHistory) {
    auto const lines =
        ask("{\"command\":\"warm\",\"name\":\"out1\"}\n"
            "{\"command\":\"warm\",\"name\":\"out9\"}\n",
            2);
    EXPECT_NE(lines[0].find("\"end\""), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("out9 is no source"), std::string::npos) << lines[1];
    EXPECT_EQ(operations_.warm, std::vector<std::string>{"out1"});
}

TEST_F(ControlSocket, ATargetMeansAllItsMail) {
    operations_.add(1, 3, "a.example");
    operations_.add(2, 2, "b.example");
    EXPECT_EQ(end_of(ask("{\"command\":\"count\",\"name\":\"a.example\"}\n"))
                  .at("recipients")
                  .to_number<int>(),
              3);
    EXPECT_EQ(end_of(ask("{\"command\":\"bounce\",\"name\":\"destination:b.example\"}\n"))
                  .at("recipients")
                  .to_number<int>(),
              2);
    auto const twice = ask(
        "{\"command\":\"bounce\",\"name\":\"a.example\",\"filter\":{\"destination\":\"c.example\"}}"
        "\n");
    EXPECT_NE(twice.back().find("exclude each other"), std::string::npos);
    auto const nowhere = ask("{\"command\":\"bounce\",\"name\":\"provider:x\"}\n");
    EXPECT_NE(nowhere.back().find("not_found"), std::string::npos);
    EXPECT_EQ(operations_.waiting.size(), 3U);
}

TEST_F(ControlSocket, ShowsADialogueUntilEnoughWasSeen) {
    operations_.on_trace = [this] {
        for (auto const* const destination : {"a.example", "b.example", "a.example", "a.example"}) {
            TraceLine line;
            line.kind = TraceLine::Kind::said;
            line.text = "RCPT TO:<\xff@a.example>";
            line.load.destination = destination;
            operations_.hub.tell(line);
        }
    };
    auto const lines = ask("{\"command\":\"trace\",\"target\":\"a.example\",\"limit\":2}\n");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_NE(lines[0].find("\"kind\":\"said\""), std::string::npos);
    EXPECT_EQ(end_of(lines).at("lines").to_number<int>(), 2);
    auto const some = ask("{\"command\":\"trace\",\"target\":\"a.example\",\"for_ms\":1}\n");
    EXPECT_EQ(end_of(some).at("lines").to_number<int>(), 3);
    EXPECT_NE(ask("{\"command\":\"trace\"}\n").back().find("invalid"), std::string::npos);
}

TEST_F(ControlSocket, ListsMoreThanAPageAndSaysWhatTheLimitCutOff) {
    for (std::uint64_t i = 1; i <= 700; ++i) {
        operations_.add(i, 2, "a.example");
    }
    auto const all = ask("{\"command\":\"queue\"}\n");
    EXPECT_EQ(all.size(), 1401U);
    auto const some = ask("{\"command\":\"queue\",\"limit\":600}\n");
    EXPECT_EQ(some.size(), 601U);
    EXPECT_EQ(end_of(some).at("recipients").to_number<int>(), 1400);
    EXPECT_EQ(end_of(some).at("messages").to_number<int>(), 700);
}

TEST_F(ControlSocket, FiltersTheQueue) {
    operations_.add(1, 2, "a.example");
    operations_.add(2, 3, "b.example");
    EXPECT_EQ(ask("{\"command\":\"queue\",\"filter\":{\"destination\":\"b.example\"}}\n").size(),
              4U);
    EXPECT_EQ(ask("{\"command\":\"queue\",\"filter\":{\"sender\":\"s1@example.com\"}}\n").size(),
              3U);
    EXPECT_EQ(ask("{\"command\":\"queue\",\"filter\":{\"held\":true}}\n").size(), 1U);
}

TEST_F(ControlSocket, FindsAMessageByEveryNameItHas) {
    auto const id = operations_.add(1, 2, "a.example");
    operations_.add(2, 1, "b.example");
    for (auto const& name : {id.text(),
                             std::string("4Postfix1"),
                             std::string("<m1@example.com>"),
                             std::string("m1@example.com"),
                             std::string("s1@example.com"),
                             std::string("r1@a.example")}) {
        auto const lines =
            ask(json::serialize(json::object{{"command", "show"}, {"name", name}}) + "\n");
        ASSERT_EQ(lines.size(), 2U) << name << ": " << (lines.empty() ? "" : lines[0]);
        auto const item = json::parse(lines[0]).at("item");
        EXPECT_EQ(item.at("id").as_string(), id.text()) << name;
        EXPECT_EQ(item.at("waiting").as_array().size(), 2U);
        EXPECT_EQ(item.at("history").as_array().size(), 2U);
    }
}

TEST_F(ControlSocket, FindsAFinishedMessageInTheJournal) {
    auto const id = operations_.add(1, 1, "a.example");
    for (std::uint64_t i = 2; i < 1500; ++i) {
        operations_.add(i, 1, "b.example");
    }
    operations_.waiting.clear();
    auto const lines = ask("{\"command\":\"show\",\"name\":\"4Postfix1\"}\n");
    ASSERT_EQ(lines.size(), 2U) << lines.back();
    EXPECT_EQ(json::parse(lines[0]).at("item").at("id").as_string(), id.text());
    auto const unknown = ask("{\"command\":\"show\",\"name\":\"4Nobody\"}\n");
    ASSERT_EQ(unknown.size(), 1U);
    EXPECT_EQ(json::parse(unknown[0]).at("error").at("code").as_string(), "not_found");
}

// Goal: one address, several messages: those that wait and those that are finished, each once.
TEST_F(ControlSocket, ShowsEveryMessageOfAnAddress) {
    auto const waits = operations_.add(1, 2, "a.example");
    auto const finished = operations_.add(2, 2, "a.example");
    operations_.add(3, 1, "b.example");
    auto const older = operations_.add(4, 1, "a.example");
    std::erase_if(operations_.waiting, [&](auto const& r) { return r.work.key.message != waits; });
    auto const ids_of = [&](const std::string& name) {
        std::vector<std::string> ids;
        for (auto const& line :
             ask(json::serialize(json::object{{"command", "show"}, {"name", name}}) + "\n")) {
            if (line.starts_with("{\"item\"")) {
                ids.emplace_back(json::parse(line).at("item").at("id").as_string());
            }
        }
        return ids;
    };
    EXPECT_EQ(ids_of("r0@a.example"), (std::vector{waits.text(), older.text(), finished.text()}));
    EXPECT_EQ(ids_of("s2@example.com"), std::vector{finished.text()});
    EXPECT_EQ(ids_of("4Postfix1"), std::vector{waits.text()});
}

// Goal: why answers for every kind of name, one answer for each recipient that was asked for.
TEST_F(ControlSocket, SaysWhyByEveryName) {
    auto const id = operations_.add(1, 2, "a.example");
    operations_.add(2, 1, "b.example");
    auto const why = [&](const std::string& name) {
        return ask(json::serialize(json::object{{"command", "why"}, {"name", name}}) + "\n");
    };
    EXPECT_EQ(why(id.text()).size(), 3U);
    EXPECT_EQ(why("4Postfix1").size(), 3U);
    EXPECT_EQ(why("<m1@example.com>").size(), 3U);
    auto const one = why("r1@a.example");
    ASSERT_EQ(one.size(), 2U) << "the other recipient was not asked for";
    auto const item = json::parse(one[0]).at("item");
    EXPECT_EQ(item.at("about").as_string(), "message");
    EXPECT_EQ(item.at("recipient").as_string(), "r1@a.example");
    EXPECT_EQ(item.at("before").to_number<int>(), 7);
    auto const place = why("a.example");
    ASSERT_EQ(place.size(), 2U);
    EXPECT_EQ(json::parse(place[0]).at("item").at("about").as_string(), "destination");
    for (auto const* nothing : {"c.example", "4Nobody", "nobody@a.example"}) {
        auto const lines = why(nothing);
        ASSERT_EQ(lines.size(), 1U) << nothing;
        EXPECT_EQ(json::parse(lines[0]).at("error").at("code").as_string(), "not_found");
    }
    EXPECT_EQ(json::parse(ask("{\"command\":\"why\"}\n")[0]).at("error").at("code").as_string(),
              "invalid");
}

TEST_F(ControlSocket, ListsProvidersWithTheirLimits) {
    operations_.add(1, 2, "a.example");
    auto const lines = ask("{\"command\":\"providers\"}\n");
    ASSERT_EQ(lines.size(), 2U);
    auto const item = json::parse(lines[0]).at("item");
    EXPECT_EQ(item.at("queued").to_number<int>(), 2);
    EXPECT_EQ(item.at("allowances").at(0).at("said").as_string(), "421 many");
    EXPECT_EQ(item.at("destinations").at(0).at("destination").as_string(), "a.example");
    EXPECT_EQ(item.at("evidence").as_array().size(), 1U);
}

// Goal: a message leaves byte for byte, in pieces, with what is needed to hand it in again.
TEST_F(ControlSocket, FetchesAMessageInPieces) {
    auto const id = operations_.add(1, 1, "a.example");
    for (int i = 0; i < 100'000; ++i) {
        operations_.bytes += static_cast<char>(i);
    }
    auto const lines = ask("{\"command\":\"fetch\",\"name\":\"" + id.text() + "\"}\n");
    ASSERT_GT(lines.size(), 4U);
    EXPECT_EQ(json::parse(lines[0]).at("item").at("sender").as_string(), "s1@example.com");
    std::string bytes;
    for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
        EXPECT_LT(lines[i].size(), 256U << 10);
        std::string const text(json::parse(lines[i]).at("item").at("bytes").as_string());
        for (std::size_t at = 0; at < text.size(); ++at) {
            auto const byte = static_cast<unsigned char>(text[at]);
            bytes += byte < 0x80 ? text[at]
                                 : static_cast<char>(((byte & 3U) << 6U) |
                                                     (static_cast<unsigned>(text[++at]) & 0x3FU));
        }
    }
    EXPECT_TRUE(bytes == operations_.bytes);
    EXPECT_NE(log_.lines.back().find("control.fetch by=\"uid"), std::string::npos);
    operations_.waiting.clear();
    auto const gone = ask("{\"command\":\"fetch\",\"name\":\"" + id.text() + "\"}\n");
    EXPECT_EQ(json::parse(gone.at(0)).at("error").at("code").as_string(), "not_found");
}

TEST_F(ControlSocket, AChangeMayGiveItsReason) {
    operations_.add(1, 1, "a.example");
    ask("{\"command\":\"remove\",\"all\":true,\"reason\":\"exported to /x\"}\n");
    EXPECT_EQ(operations_.asked_by.front(), "exported to /x by uid " + std::to_string(::getuid()));
}

TEST_F(ControlSocket, ChangesAllPagesAndLogsWhoAsked) {
    for (std::uint64_t i = 1; i <= 600; ++i) {
        operations_.add(i, 2, "a.example");
    }
    operations_.add(601, 1, "b.example");
    auto const held =
        end_of(ask("{\"command\":\"hold\",\"filter\":{\"destination\":\"a.example\"}}\n"));
    EXPECT_EQ(held.at("recipients").to_number<int>(), 1200);
    EXPECT_EQ(held.at("messages").to_number<int>(), 600);
    EXPECT_EQ(std::count_if(operations_.waiting.begin(),
                            operations_.waiting.end(),
                            [](auto const& r) { return r.work.held; }),
              1200);
    auto const by = "uid " + std::to_string(::getuid());
    EXPECT_EQ(operations_.asked_by.front(), "removed by " + by);
    EXPECT_EQ(log_.lines.back(),
              "control.change command=hold by=\"" + by +
                  "\" filter=\"destination=a.example\" recipients=1200 messages=600");
}

TEST_F(ControlSocket, RemovesWhatANameMeansAndNothingElse) {
    operations_.add(1, 1, "a.example");
    operations_.add(2, 1, "a.example");
    EXPECT_EQ(end_of(ask("{\"command\":\"remove\",\"name\":\"4Postfix2\"}\n")).at("recipients"), 1);
    ASSERT_EQ(operations_.waiting.size(), 1U);
    EXPECT_EQ(operations_.waiting[0].mta_queue_id, "4Postfix1");
}

TEST_F(ControlSocket, DoesNotTakeAForgottenFilterForEverything) {
    operations_.add(1, 5, "a.example");
    for (auto const* request : {"{\"command\":\"remove\"}\n",
                                "{\"command\":\"remove\",\"filter\":{}}\n",
                                "{\"command\":\"remove\",\"name\":\"unknown\"}\n",
                                "{\"command\":\"remove\",\"filter\":{\"destinaton\":\"b\"}}\n",
                                "{\"command\":\"remove\",\"filter\":{\"id\":\"no id\"}}\n"}) {
        auto const lines = ask(request);
        ASSERT_EQ(lines.size(), 1U);
        EXPECT_TRUE(lines[0].starts_with("{\"error\"")) << request << lines[0];
    }
    EXPECT_EQ(operations_.waiting.size(), 5U);
    EXPECT_EQ(end_of(ask("{\"command\":\"retry\",\"all\":true}\n")).at("recipients"), 5);
}

TEST_F(ControlSocket, GivesEventsFromTheEndAndFromATime) {
    operations_.add(1, 40, "a.example");
    EXPECT_EQ(ask("{\"command\":\"events\",\"last\":0}\n").size(), 1U);
    // The 25th event lies 24 s behind the first.
    EXPECT_EQ(ask("{\"command\":\"events\",\"since_ms\":1024000}\n").size(), 16U + 1U);
    EXPECT_EQ(ask("{\"command\":\"events\",\"since_ms\":0}\n").size(), 41U);
    EXPECT_EQ(ask("{\"command\":\"events\",\"since_ms\":9000000}\n").size(), 1U);
    EXPECT_EQ(ask("{\"command\":\"events\",\"name\":\"r7@a.example\"}\n").size(), 2U);
}

TEST_F(ControlSocket, FollowsEvents) {
    operations_.add(1, 1, "a.example");
    // Two are wanted and one is there: the other one comes while the client waits.
    auto const later = [](ModelOperations& operations, Clock& clock) -> Task<void> {
        co_await clock.sleep(std::chrono::milliseconds(50));
        operations.add(2, 1, "b.example");
    };
    asio::co_spawn(loop_, later(operations_, clock_), asio::detached);
    auto const lines = ask("{\"command\":\"events\",\"follow\":true,\"limit\":2}\n");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(json::parse(lines[1]).at("item").at("recipient").as_string(), "r0@b.example");
}

TEST_F(ControlSocket, RefusesWhatItDoesNotUnderstand) {
    for (auto const* request : {"hello\n",
                                "{}\n",
                                "[1]\n",
                                "{\"command\":7}\n",
                                "{\"command\":\"explode\"}\n",
                                "{\"command\":\"events\",\"last\":-1}\n",
                                "{\"command\":\"events\",\"since_ms\":99999999999999999}\n",
                                "{\"command\":\"queue\",\"limit\":\"many\"}\n",
                                "{\"command\":\"status\",\"surprise\":1}\n"}) {
        auto const lines = ask(request);
        ASSERT_EQ(lines.size(), 1U) << request;
        EXPECT_EQ(json::parse(lines[0]).at("error").at("code").as_string(), "invalid") << request;
    }
}

TEST_F(ControlSocket, RefusesARequestWithoutEnd) {
    auto const lines = ask(std::string(70'000, 'x'));
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_NE(lines[0].find("longer than 64 KiB"), std::string::npos);
}

TEST_F(ControlSocket, PassesFailuresOn) {
    operations_.broken = Failure{Fault::invalid, "t.conf:1: unknown setting x"};
    auto const lines = ask("{\"command\":\"reload\"}\n");
    EXPECT_EQ(lines[0], R"({"error":{"code":"invalid","text":"t.conf:1: unknown setting x"}})");
}

TEST_F(ControlSocket, IsClosedToOthersAndGoneAfterwards) {
    ControlServer server(parts());
    ASSERT_TRUE(server.open(path_));
    struct stat status = {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0660U);
    ASSERT_EQ(::stat((folder_ + "/run").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0750U);
    asio::co_spawn(loop_, server.stop(), asio::detached);
    loop_.run();
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlSocket, ReplacesTheSocketOfADeadRelayButNotOfALivingOne) {
    std::filesystem::create_directories(folder_ + "/run");
    { Protocol::acceptor dead(loop_, Protocol::endpoint(path_)); }
    ASSERT_TRUE(std::filesystem::exists(path_));
    ControlServer server(parts());
    ASSERT_TRUE(server.open(path_));
    ControlServer second(parts());
    auto const refused = second.open(path_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::unavailable);
    EXPECT_NE(refused.error().detail.find("another relay answers there"), std::string::npos);
    asio::co_spawn(loop_, server.stop(), asio::detached);
    loop_.run();
}

TEST_F(ControlSocket, DoesNotOverwriteAFile) {
    std::filesystem::create_directories(folder_ + "/run");
    std::ofstream(path_) << "precious";
    ControlServer server(parts());
    EXPECT_FALSE(server.open(path_));
    EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

}  // namespace
}  // namespace millrace::relay
