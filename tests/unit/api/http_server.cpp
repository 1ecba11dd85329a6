#include "relay/api/http_server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "tests/unit/api/model_operations.hpp"

namespace millrace::relay {
namespace {

using Tcp = asio::ip::tcp;

class Http : public testing::Test {
  protected:
    Task<void> scene(std::string text, std::string& answer) {
        HttpServer server(
            {loop_.get_executor(), operations_, metrics_, log_, {"metrics.example.com"}});
        auto const opened = server.open({asio::ip::make_address("127.0.0.1"), 0});
        EXPECT_TRUE(opened);
        auto const at = server.local();
        Tcp::socket socket(loop_);
        boost::system::error_code error;
        co_await socket.async_connect(Tcp::endpoint(at.address, at.port),
                                      asio::redirect_error(asio::use_awaitable, error));
        co_await asio::async_write(
            socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
        while (!error) {
            char buffer[4096];
            auto const size = co_await socket.async_read_some(
                asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
            answer.append(buffer, size);
        }
        co_await server.stop();
    }

    /// The whole answer to a raw request.
    std::string raw(std::string text) {
        std::string answer;
        asio::co_spawn(loop_, scene(std::move(text), answer), asio::detached);
        loop_.restart();
        loop_.run();
        return answer;
    }
    std::string get(const std::string& target, const std::string& host = "localhost:9100") {
        return raw("GET " + target + " HTTP/1.1\r\nHost: " + host +
                   "\r\nConnection: close\r\n\r\n");
    }
    static std::string status_of(const std::string& answer) {
        return answer.substr(0, answer.find('\r'));
    }

    asio::io_context loop_;
    ModelOperations operations_;
    Metrics metrics_;
    NullLog log_;
};

TEST_F(Http, ShowsMetricsInThePrometheusFormat) {
    metrics_.counter("millrace_messages_received_total", "Messages taken over.").add(7);
    auto const answer = get("/metrics");
    EXPECT_EQ(status_of(answer), "HTTP/1.1 200 OK");
    EXPECT_NE(answer.find("Content-Type: text/plain; version=0.0.4"), std::string::npos);
    EXPECT_NE(answer.find("\nmillrace_messages_received_total 7\n"), std::string::npos);
}

TEST_F(Http, TellsHealthFromReadiness) {
    EXPECT_EQ(status_of(get("/healthz")), "HTTP/1.1 200 OK");
    EXPECT_EQ(status_of(get("/readyz")), "HTTP/1.1 200 OK");
    operations_.state.accepting = false;
    operations_.state.why = "the disk is full";
    EXPECT_EQ(status_of(get("/healthz")), "HTTP/1.1 200 OK");
    auto const answer = get("/readyz");
    EXPECT_EQ(status_of(answer), "HTTP/1.1 503 Service Unavailable");
    EXPECT_NE(answer.find("the disk is full"), std::string::npos);
    operations_.state.broken = true;
    EXPECT_EQ(status_of(get("/healthz")), "HTTP/1.1 503 Service Unavailable");
}

TEST_F(Http, AnswersOnlyUnderNamesOfOurs) {
    for (auto const* host : {"localhost",
                             "LOCALHOST:1",
                             "127.0.0.1:9100",
                             "127.8.8.8",
                             "[::1]:9100",
                             "metrics.example.com:80"}) {
        EXPECT_EQ(status_of(get("/healthz", host)), "HTTP/1.1 200 OK") << host;
    }
    for (auto const* host :
         {"evil.example", "localhost.evil.example", "192.0.2.1", "", "[", "[]", ":"}) {
        EXPECT_EQ(status_of(get("/healthz", host)), "HTTP/1.1 403 Forbidden") << host;
    }
}

TEST_F(Http, HasThreePagesAndOneMethod) {
    EXPECT_EQ(status_of(get("/")), "HTTP/1.1 404 Not Found");
    EXPECT_EQ(status_of(get("/metricsx")), "HTTP/1.1 404 Not Found");
    EXPECT_EQ(status_of(get("/metrics?x=1")), "HTTP/1.1 200 OK");
    auto const post =
        raw("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: "
            "close\r\n\r\n");
    EXPECT_EQ(status_of(post), "HTTP/1.1 405 Method Not Allowed");
    EXPECT_NE(post.find("Allow: GET, HEAD"), std::string::npos);
}

TEST_F(Http, RefusesWhatIsTooLargeOrNoRequest) {
    EXPECT_EQ(status_of(raw("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20'000, 'x') +
                            "\r\n\r\n")),
              "HTTP/1.1 431 Request Header Fields Too Large");
    EXPECT_EQ(status_of(raw("HELO there\r\n\r\n")), "HTTP/1.1 400 Bad Request");
    auto const body =
        raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_NE(status_of(body), "HTTP/1.1 200 OK");
}

TEST_F(Http, SaysWhichSettingToChangeWhenThePortIsTaken) {
    HttpServer first({loop_.get_executor(), operations_, metrics_, log_});
    ASSERT_TRUE(first.open({asio::ip::make_address("127.0.0.1"), 0}));
    HttpServer second({loop_.get_executor(), operations_, metrics_, log_});
    auto const refused = second.open(first.local());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().detail.find("relay.http.port"), std::string::npos);
    asio::co_spawn(loop_, first.stop(), asio::detached);
    asio::co_spawn(loop_, second.stop(), asio::detached);
    loop_.run();
}

}  // namespace
}  // namespace millrace::relay
