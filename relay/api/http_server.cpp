#include "relay/api/http_server.hpp"

#include <fmt/format.h>
#include <list>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "common/net/task_group.hpp"

// The only file that includes Beast: it takes long to compile.

namespace millrace::relay {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

constexpr std::size_t connections_max = 32;
constexpr std::uint32_t header_max = 8 << 10;
constexpr auto request_time = std::chrono::seconds(10);
constexpr auto idle_time = std::chrono::seconds(60);

/// The host of `host`, `host:port`, `[v6]:port`.
std::string_view without_port(std::string_view host) {
    if (host.starts_with('[')) {
        return host.substr(1, host.find(']') - 1);
    }
    auto const colon = host.find(':');
    return host.substr(0, colon);
}

}  // namespace

class HttpServer::Server {
  public:
    explicit Server(Parts parts)
        : parts_(std::move(parts)),
          acceptor_(parts_.executor),
          tasks_(parts_.executor, parts_.log, "http") {}

    Result<void> open(Endpoint at) {
        boost::system::error_code error;
        Tcp::endpoint const endpoint(at.address, at.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error) {
            acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        }
        if (!error) {
            acceptor_.bind(endpoint, error);
        }
        if (!error) {
            acceptor_.listen(asio::socket_base::max_listen_connections, error);
        }
        if (error) {
            acceptor_.close();
            return failure(
                Fault::unavailable,
                fmt::format("HTTP at {}: {}; set relay.http.port", at.text(), error.message()));
        }
        tasks_.spawn(accept());
        return {};
    }

    Endpoint local() const {
        boost::system::error_code error;
        auto const endpoint = acceptor_.local_endpoint(error);
        return {endpoint.address(), endpoint.port()};
    }

    Task<void> stop() {
        acceptor_.close();
        for (auto& stream : streams_) {
            stream.close();
        }
        tasks_.stop();
        co_await tasks_.drained();
    }

  private:
    Task<void> accept() {
        while (acceptor_.is_open()) {
            boost::system::error_code error;
            Tcp::socket socket(parts_.executor);
            co_await acceptor_.async_accept(socket,
                                            asio::redirect_error(asio::use_awaitable, error));
            if (!acceptor_.is_open()) {
                co_return;
            }
            if (error || streams_.size() >= connections_max) {
                // The socket closes as it goes out of scope. Out of descriptors: a short rest, or
                // the loop would spin.
                if (error) {
                    asio::steady_timer rest(parts_.executor, std::chrono::milliseconds(100));
                    co_await rest.async_wait(asio::use_awaitable);
                }
                continue;
            }
            tasks_.spawn(converse(streams_.emplace(streams_.end(), std::move(socket))));
        }
    }

    Task<void> converse(std::list<beast::tcp_stream>::iterator stream) {
        struct Leave {
            std::list<beast::tcp_stream>& all;
            std::list<beast::tcp_stream>::iterator one;
            ~Leave() { all.erase(one); }
        };
        Leave const leave{streams_, stream};
        beast::flat_buffer buffer(header_max + 1);
        for (bool first = true;; first = false) {
            http::request_parser<http::empty_body> parser;
            parser.header_limit(header_max);
            boost::system::error_code error;
            stream->expires_after(first ? request_time : idle_time);
            co_await http::async_read(
                *stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
            if (error == http::error::end_of_stream || error == beast::error::timeout ||
                error == asio::error::operation_aborted) {
                co_return;
            }
            auto response = error ? refuse(error) : answer(parser.get());
            response.keep_alive(!error && parser.get().keep_alive());
            response.prepare_payload();
            stream->expires_after(request_time);
            co_await http::async_write(
                *stream, response, asio::redirect_error(asio::use_awaitable, error));
            if (error || !response.keep_alive()) {
                co_return;
            }
        }
    }

    static Response page(http::status status, std::string text) {
        Response response(status, 11);
        response.set(http::field::content_type, "text/plain; charset=utf-8");
        response.set(http::field::cache_control, "no-store");
        response.set("X-Content-Type-Options", "nosniff");
        response.body() = std::move(text);
        return response;
    }

    static Response refuse(boost::system::error_code error) {
        if (error == http::error::header_limit || error == http::error::buffer_overflow) {
            return page(http::status::request_header_fields_too_large, "the header is too large\n");
        }
        if (error == http::error::body_limit || error == http::error::unexpected_body) {
            return page(http::status::payload_too_large, "a request has no body here\n");
        }
        return page(http::status::bad_request, "this is not an HTTP request\n");
    }

    bool host_allowed(std::string_view header) const {
        auto const host = without_port(header);
        if (beast::iequals(host, "localhost")) {
            return true;
        }
        boost::system::error_code error;
        auto const address = asio::ip::make_address(host, error);
        if (!error && (address.is_loopback() || address == local().address)) {
            return true;
        }
        return std::any_of(parts_.hosts.begin(), parts_.hosts.end(), [&](const std::string& h) {
            return beast::iequals(host, h);
        });
    }

    Response answer(const Request& request) const {
        if (!host_allowed(request[http::field::host])) {
            return page(http::status::forbidden,
                        "this Host is not one of ours: see relay.http.hosts\n");
        }
        auto const target = request.target().substr(0, request.target().find('?'));
        bool const known = target == "/metrics" || target == "/healthz" || target == "/readyz";
        if (!known) {
            return page(http::status::not_found, "here are /metrics, /healthz and /readyz\n");
        }
        if (request.method() != http::verb::get && request.method() != http::verb::head) {
            auto response = page(http::status::method_not_allowed, "only GET\n");
            response.set(http::field::allow, "GET, HEAD");
            return response;
        }
        auto response = target == "/metrics"   ? metrics()
                        : target == "/healthz" ? health()
                                               : ready();
        if (request.method() == http::verb::head) {
            response.body().clear();
        }
        return response;
    }

    Response metrics() const {
        auto response = page(http::status::ok, parts_.metrics.exposition());
        response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
        return response;
    }

    Response health() const {
        auto const health = parts_.operations.health();
        return health.broken ? page(http::status::service_unavailable, health.why + "\n")
                             : page(http::status::ok, "ok\n");
    }

    Response ready() const {
        auto const health = parts_.operations.health();
        return health.accepting && !health.broken
                   ? page(http::status::ok, "accepting\n")
                   : page(http::status::service_unavailable, "not accepting: " + health.why + "\n");
    }

    Parts parts_;
    Tcp::acceptor acceptor_;
    std::list<beast::tcp_stream> streams_;
    TaskGroup tasks_;
};

HttpServer::HttpServer(Parts parts) : server_(std::make_unique<Server>(std::move(parts))) {}
HttpServer::~HttpServer() = default;

Result<void> HttpServer::open(Endpoint at) {
    return server_->open(at);
}

Endpoint HttpServer::local() const {
    return server_->local();
}

Task<void> HttpServer::stop() {
    return server_->stop();
}

}  // namespace millrace::relay
