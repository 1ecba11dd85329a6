#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "relay/cli/command.hpp"

namespace millrace::relay {
namespace {

/// Runs the command line in this process with its output caught.
struct Said {
    int exit_code;
    std::string out, err;
};

Said say(std::vector<std::string> words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int const exit_code = run_command_line(words);
    std::fflush(stdout);
    return {
        exit_code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

/// A relay that sends prepared answers, one for each line it reads, from a child process.
class PreparedRelay {
  public:
    explicit PreparedRelay(std::vector<std::string> answers) {
        std::string name = testing::TempDir() + "millrace_cli_XXXXXX";
        folder_ = ::mkdtemp(name.data());
        path = folder_ + "/s";
        int const listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, path.size());
        EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener, 8), 0);
        child_ = ::fork();
        if (child_ == 0) {
            serve(listener, answers);
            ::_exit(0);
        }
        ::close(listener);
    }
    ~PreparedRelay() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
        std::filesystem::remove_all(folder_);
    }
    /// The requests so far, one a line.
    std::string requests() const {
        std::ifstream in(folder_ + "/requests");
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    std::string path;

  private:
    void serve(int listener, const std::vector<std::string>& answers) {
        std::ofstream record(folder_ + "/requests");
        int connection = -1;
        for (auto const& answer : answers) {
            std::string line;
            while (!line.ends_with('\n')) {
                char c = 0;
                if (connection < 0 || ::read(connection, &c, 1) != 1) {
                    connection = ::accept(listener, nullptr, nullptr);
                    continue;
                }
                line += c;
            }
            record << line << std::flush;
            [[maybe_unused]] auto const written = ::write(connection, answer.data(), answer.size());
        }
        ::close(connection);
    }

    std::string folder_;
    pid_t child_;
};

TEST(CommandLine, SaysThatTheRelayIsNotReachedAndWhatToLookAt) {
    auto const said = say({"--socket", "/nonexistent/control.sock"});
    EXPECT_EQ(said.exit_code, 69);
    EXPECT_EQ(
        said.err,
        "millrace: relay not reached at /nonexistent/control.sock (No such file or directory): "
        "is millrace-relay running? systemctl status millrace-relay\n");
}

TEST(CommandLine, GuessesCommandsAndOptions) {
    auto said = say({"qeue"});
    EXPECT_EQ(said.exit_code, 64);
    EXPECT_EQ(said.err,
              "millrace: there is no command qeue: did you mean queue?\ntry: millrace --help\n");
    said = say({"queue", "--recipent", "x"});
    EXPECT_EQ(said.exit_code, 64);
    EXPECT_NE(said.err.find("did you mean --recipient?"), std::string::npos);
    said = say({"--jsn"});
    EXPECT_EQ(said.exit_code, 64);
    EXPECT_TRUE(said.err.starts_with("millrace: unknown option --jsn: did you mean --json?"))
        << said.err;
}

TEST(CommandLine, EveryCommandExplainsItselfWithExamples) {
    auto const overview = say({"--help"});
    EXPECT_EQ(overview.exit_code, 0);
    for (auto const& command : commands()) {
        EXPECT_NE(overview.out.find("  " + std::string(command.name) + " "), std::string::npos);
        for (auto const& words : {std::vector<std::string>{std::string(command.name), "--help"},
                                  std::vector<std::string>{"help", std::string(command.name)}}) {
            auto const said = say(words);
            EXPECT_EQ(said.exit_code, 0);
            EXPECT_NE(said.out.find("\nexamples:\n"), std::string::npos) << command.name;
            EXPECT_EQ(said.out.find("\t"), std::string::npos);
        }
        // Every option it takes is in its help.
        for (auto const& option : command.options) {
            EXPECT_NE(command.help.find(option.name), std::string::npos)
                << command.name << " " << option.name;
        }
    }
}

TEST(CommandLine, GivesAnOrderForEachTarget) {
    PreparedRelay const relay(
        {"{\"end\":{\"order\":\"pause\",\"target\":\"destination:gmail.com\"}}\n",
         "{\"end\":{\"order\":\"pause\",\"target\":\"account:shop\"}}\n"});
    auto const said = say({"pause",
                           "gmail.com",
                           "account:shop",
                           "--for",
                           "2h",
                           "--reason",
                           "their trouble",
                           "--socket",
                           relay.path});
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_EQ(said.out,
              "paused destination:gmail.com; back: millrace resume destination:gmail.com\n"
              "paused account:shop; back: millrace resume account:shop\n");
    EXPECT_EQ(relay.requests(),
              "{\"command\":\"pause\",\"reason\":\"their trouble\",\"for_ms\":7200000,"
              "\"target\":\"gmail.com\"}\n"
              "{\"command\":\"pause\",\"reason\":\"their trouble\",\"for_ms\":7200000,"
              "\"target\":\"account:shop\"}\n");
}

TEST(CommandLine, ListsOrdersWithoutATarget) {
    PreparedRelay const relay(
        {"{\"item\":{\"order\":\"drain\",\"target\":\"source:192.0.2.1\",\"by\":\"uid 0\","
         "\"reason\":\"goes back\"}}\n{\"end\":{}}\n"});
    auto const said = say({"pause", "--socket", relay.path});
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_NE(said.out.find("drain  source:192.0.2.1"), std::string::npos) << said.out;
    EXPECT_NE(said.out.find("with resume"), std::string::npos) << said.out;
    EXPECT_EQ(say({"resume"}).exit_code, 64);
    EXPECT_EQ(say({"pause", "gmail.com", "--for", "soon"}).exit_code, 64);
    EXPECT_EQ(say({"trace"}).exit_code, 64);
    EXPECT_EQ(say({"trace", "all", "--count", "0"}).exit_code, 64);
}

TEST(CommandLine, ADryRunOnlyCounts) {
    PreparedRelay const relay({"{\"end\":{\"recipients\":3,\"messages\":2}}\n"});
    auto const said = say({"bounce", "gmail.com", "--dry-run", "--socket", relay.path});
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_EQ(said.out, "would bounce 3 recipients of 2 messages; nothing was changed\n");
    EXPECT_EQ(relay.requests().find("bounce"), std::string::npos) << relay.requests();
}

TEST(CommandLine, ADialogueIsHarmlessToTheTerminal) {
    PreparedRelay const relay(
        {"{\"item\":{\"at\":\"2026-11-24T08:00:00.000Z\",\"conversation\":3,\"kind\":\"heard\","
         "\"host\":\"mx.example [192.0.2.1]\",\"text\":\"250 \\u001b[2Jok\"}}\n"
         "{\"item\":{\"lost\":12}}\n{\"end\":{\"lines\":1}}\n"});
    auto const said = say({"trace", "example.com", "--count", "1", "--socket", relay.path});
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_EQ(said.out,
              "2026-11-24T08:00:00.000Z #3 - mx.example [192.0.2.1], open already\n"
              "2026-11-24T08:00:00.000Z #3 < 250 \\x1b[2Jok\n"
              "… 12 lines lost here: read faster\n");
}

TEST(CommandLine, ABadConfigurationIsNotAMissingRelay) {
    std::string name = testing::TempDir() + "millrace_cli_XXXXXX";
    auto const file = std::string(::mkdtemp(name.data())) + "/bad.conf";
    std::ofstream(file) << "relay = { spol = { }; };";
    auto const said = say({"queue", "-c", file});
    EXPECT_EQ(said.exit_code, 78);
    EXPECT_NE(said.err.find("bad.conf:1: unknown setting relay.spol: did you mean relay.spool?"),
              std::string::npos)
        << said.err;
    std::filesystem::remove_all(std::filesystem::path(file).parent_path());
}

TEST(CommandLine, TheBareCommandFailsWhenMailIsNotAccepted) {
    PreparedRelay const relay(
        {"{\"end\":{\"accepting\":false,\"why_not\":\"the disk is full\"}}\n"});
    auto const said = say({"--socket", relay.path});
    EXPECT_EQ(said.exit_code, 1);
    EXPECT_NE(said.out.find("the disk is full"), std::string::npos);
}

TEST(CommandLine, JsonIsOneObjectALine) {
    PreparedRelay const relay(
        {"{\"item\":{\"id\":\"A\"}}\n{\"item\":{\"id\":\"B\"}}\n{\"end\":{}}\n"});
    auto const said =
        say({"queue", "--json", "--socket=" + relay.path, "--destination", "a.example"});
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_EQ(said.out, "{\"id\":\"A\"}\n{\"id\":\"B\"}\n");
    EXPECT_EQ(relay.requests(),
              "{\"command\":\"queue\",\"filter\":{\"destination\":\"a.example\"},\"limit\":0}\n");
}

TEST(CommandLine, RemoveAndBounceAskFirst) {
    // Nobody sits at the terminal of a test: without --yes nothing happens.
    int const null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::close(null);
    for (auto const* command : {"remove", "bounce"}) {
        PreparedRelay const relay({"{\"end\":{\"recipients\":3,\"messages\":2}}\n"});
        auto const said = say({command, "--sender", "a@b.example", "--socket", relay.path});
        EXPECT_EQ(said.exit_code, 64);
        EXPECT_NE(said.err.find("3 recipients of 2 messages"), std::string::npos) << said.err;
        EXPECT_NE(said.err.find("--yes"), std::string::npos);
        EXPECT_EQ(relay.requests().find(std::string("\"") + command), std::string::npos);
    }
}

TEST(CommandLine, WithYesTheyAct) {
    PreparedRelay const relay(
        {"{\"end\":{\"recipients\":3,\"messages\":2}}\n",
         "{\"progress\":{\"recipients\":1}}\n{\"end\":{\"recipients\":2,\"messages\":2}}\n"});
    auto const said = say({"remove", "ID1", "--yes", "--socket", relay.path});
    EXPECT_EQ(said.exit_code, 0) << said.err;
    EXPECT_TRUE(said.out.starts_with(
        "removed: 2 recipients of 2 messages\n1 recipient that matched was left alone"))
        << said.out;
    EXPECT_EQ(relay.requests(),
              "{\"filter\":{},\"name\":\"ID1\",\"command\":\"count\"}\n"
              "{\"filter\":{},\"name\":\"ID1\",\"command\":\"remove\"}\n");
}

TEST(CommandLine, NothingMatchesIsSaidAndFails) {
    PreparedRelay const relay({"{\"end\":{\"recipients\":0,\"messages\":0}}\n"});
    auto const said = say({"retry", "--destination", "a.example", "--socket", relay.path});
    EXPECT_EQ(said.exit_code, 1);
    EXPECT_EQ(said.err, "millrace: nothing in the queue matches\n");
}

TEST(CommandLine, AChangeWithoutSelectionNeverReachesTheRelay) {
    auto const said = say({"remove", "--socket", "/nonexistent"});
    EXPECT_EQ(said.exit_code, 64);
}

TEST(CommandLine, FailuresHaveTheirExitCodes) {
    struct Case {
        const char* code;
        int exit_code;
    };
    for (auto const& [code, exit_code] :
         {Case{"not_found", 1}, Case{"unavailable", 75}, Case{"broken", 75}, Case{"invalid", 64}}) {
        PreparedRelay const relay(
            {std::string("{\"error\":{\"code\":\"") + code + "\",\"text\":\"why\"}}\n"});
        EXPECT_EQ(say({"show", "X", "--socket", relay.path}).exit_code, exit_code) << code;
    }
    PreparedRelay const refused({"{\"error\":{\"code\":\"invalid\",\"text\":\"bad file\"}}\n"});
    EXPECT_EQ(say({"reload", "--socket", refused.path}).exit_code, 78);
}

TEST(CommandLine, ARelayThatGoesAwayInTheMiddleIsNoticed) {
    PreparedRelay const relay({"{\"item\":{\"id\":\"A\"}}\n{\"end"});
    auto const said = say({"queue", "--json", "--socket", relay.path});
    EXPECT_EQ(said.exit_code, 75);
    EXPECT_NE(said.err.find("closed the connection before it had answered"), std::string::npos);
}

TEST(CommandLine, EventsTakeATimeOrAnAge) {
    PreparedRelay const relay({"{\"end\":{}}\n"});
    EXPECT_EQ(say({"events", "--since", "2026-11-24T08:00:00Z", "--socket", relay.path}).exit_code,
              0);
    EXPECT_NE(relay.requests().find("\"since_ms\":1795507200000"), std::string::npos)
        << relay.requests();
    EXPECT_EQ(say({"events", "--since", "yesterday"}).exit_code, 64);
    EXPECT_EQ(say({"events", "--last", "-5"}).exit_code, 64);
    EXPECT_EQ(say({"events", "--last", "5", "--since", "1h"}).exit_code, 64);
}

}  // namespace
}  // namespace millrace::relay
