#pragma once

#include <boost/asio/awaitable.hpp>

namespace millrace {

namespace asio = boost::asio;

/// A conversation: a coroutine that runs on the executor of whoever awaits or spawns it.
template <class T>
using Task = asio::awaitable<T>;

}  // namespace millrace
