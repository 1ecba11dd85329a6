#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/base/metric.hpp"
#include "common/net/endpoint.hpp"
#include "relay/api/control.hpp"

namespace millrace::relay {

/// Pages for monitoring: GET /metrics (Prometheus text), /healthz (200 unless the spool is broken),
/// /readyz (200 while new mail is accepted, else 503 and why). Everything else is 404 or 405.
/// A request's Host must be a loopback name, our own address or one of `hosts`, so that no web page
/// in somebody's browser can read the pages. At most 32 connections, 8 KiB of header, 10 s a
/// request.
/// Thread: the loop's.
class HttpServer {
  public:
    struct Parts {
        asio::any_io_executor executor;
        const Operations& operations;
        const Metrics& metrics;
        Log& log;
        std::vector<std::string> hosts = {};
    };
    explicit HttpServer(Parts parts);
    ~HttpServer();  ///< stop() comes first
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Failure: unavailable when the address cannot be bound.
    Result<void> open(Endpoint at);
    /// Where it listens: the port when 0 was asked for.
    Endpoint local() const;
    Task<void> stop();

  private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace millrace::relay
