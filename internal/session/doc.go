// Package session is the main road: what a frontend says travels through it to the
// nodes, and what they answer travels back.
//
// # The road
//
//	Run              startup.go         one goroutine for each frontend
//	  startup        startup.go         first packet, TLS, log-in, connections
//	  park           loan.go            transaction pooling: gives the connections back
//	  dispatch       session.go         one line a message
//	    unpark       loan.go            and borrows some in front of what needs a node
//	    simpleQuery  simple_query.go    a string of statements, one after the other
//	      answerCached cache_read.go    from memory, if it is there
//	    runBatch     batch.go           Parse, Bind, Execute ... up to Sync or Flush
//	      plan       batch_plan.go      what a message means and where it goes
//	      checkSafety verdict.go        may it be repeated? asks internal/safety once a text
//	      traits     catalogue.go       what the statement is; asks the catalogue if need be
//	      route      route.go           gathers lb.Input, calls lb.Route
//	      planOf     plan.go            values that all nodes are to be given alike
//	      drawFrom   sequence.go        values of sequences, from a lease or from main
//	      careFor    care.go            main's rows or table locks, where nodes could do differently
//	      noteWrite  cache_write.go     what it does to the query cache
//	      runShared  cache_read.go      a read whose answer may be kept
//	      executeOne execute_one.go     a statement on one node
//	        autoFor  auto_prepare.go    a read by key as a statement of ours
//	      executeAll execute_all.go     a statement on all nodes, through replicator
//	        decideAuto auto_write.go    a write by key as a statement of ours
//	        parsedBefore auto_parse.go  an unnamed statement that was parsed before
//	        suitsBlock auto_block.go    either in a block, where no text can be sent behind an error
//	        takeTickets ticket.go     may it go to all of them at once? at_once.go
//	        runInOneMessage in_one_message.go  and with its COMMIT (autocommit_fast)
//	        decidesAlike basis.go     has DDL come in between? then it is decided again
//	      bindAgain  bind_again.go      an unnamed portal that a node has forgotten
//	      executeSession primary.go     what sets something, where PostgreSQL replicates
//	      takeSnapshot snapshot.go      one snapshot on all nodes, before the first statement
//	      ask        execute_here.go    SHOW POOL_NODES and relatives; show_route.go
//	    takeColumns  numbers.go        numbers of types and tables, as one node has them
//	    settle       settle.go          end of an implicit transaction, ReadyForQuery
//
// # Who owns what
//
// A Session belongs to its goroutine. It holds one link to each live node; a link
// holds the connection and what that node knows of the session: whether its
// transaction block is open there, and which statements are prepared. With
// pool_mode = transaction a link lives as long as its connection and goes from one
// session to the next; ADR 0033 says what comes along. Other
// goroutines reach a session in two ways only: Cancel, and by closing its sockets.
//
// # Transactions
//
// BEGIN is answered here and sent to a node in front of the first statement that it
// gets. A statement outside of a block that goes to all nodes runs in a block of
// ours, the implicit transaction, which is committed at the end of the query
// string or at Sync, after the nodes' answers were compared.
package session
