//! A driver that waits is lent to the application. Each command of the application is executed once and in order, by the
//! thread of the driver or by that of the application.
#![cfg(feature = "loom")]

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::collections::VecDeque;
use zmq_omdp_models::loan::Loan;

/// The commands of the application. The driver waits for the next one.
#[derive(Default)]
struct DriverHandle {
    commands: Mutex<VecDeque<u32>>,
    came: Condvar,
}

impl DriverHandle {
    fn send(&self, command: u32) {
        self.commands.lock().unwrap().push_back(command);
        self.came.notify_one();
    }

    fn receive(&self) -> u32 {
        let mut commands = self.commands.lock().unwrap();
        loop {
            match commands.pop_front() {
                Some(command) => return command,
                None => commands = self.came.wait(commands).unwrap(),
            }
        }
    }
}

/// The commands that a driver has executed, and the number of those that were sent to its thread.
#[derive(Default)]
struct Driver {
    done: Vec<u32>,
    taken: u32,
}

const LAST: u32 = 3;

/// The rule of `src/io/dealer/direct_turn.rs`: a command goes to the driver's thread unless the driver is lent and has executed
/// all earlier commands that were sent to that thread.
#[test]
fn commands_are_executed_once_and_in_order() {
    loom::model(|| {
        let loan = Arc::new(Loan::<Driver>::default());
        let inbox = Arc::new(DriverHandle {
            commands: Mutex::default(),
            came: Condvar::new(),
        });
        let driver = thread::spawn({
            let (loan, inbox) = (loan.clone(), inbox.clone());
            move || {
                let mut driver = Box::<Driver>::default();
                loop {
                    loan.lend(driver);
                    let command = inbox.receive();
                    driver = loan.take_back().expect("only the driver takes itself back");
                    driver.taken += 1;
                    driver.done.push(command);
                    if command == LAST {
                        return driver.done;
                    }
                }
            }
        });
        let mut sent = 0;
        for command in 1..=LAST {
            let direct = loan.use_if_lent(|driver| {
                let may = driver.taken == sent && command < LAST;
                if may {
                    driver.done.push(command);
                }
                may
            });
            if direct != Some(true) {
                sent += 1;
                inbox.send(command);
            }
        }
        assert_eq!(driver.join().unwrap(), [1, 2, 3]);
    });
}
